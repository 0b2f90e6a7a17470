"""What spans kinds: the rules' engine, what it asks, and what became of it."""
