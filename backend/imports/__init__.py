"""Rosters and registers from files: read, looked at row by row, and written whole or not at all (docs/imports.md)."""
