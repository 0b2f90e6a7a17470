"""What the server promises through its door, on both engines."""
