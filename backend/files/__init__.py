"""Files that belong to operations: how they come, what they may be, where they lie."""
