"""Servers that are killed, cut off, filled up and started again."""
