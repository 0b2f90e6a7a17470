"""The torture itself: its checker finds what is broken on purpose, and nothing else."""
