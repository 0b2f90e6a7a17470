"""Tables, engines, the write door and named reads. The only part that knows SQL."""
