"""A facility that does not exist, to look at, to try and to test with."""
