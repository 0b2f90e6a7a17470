"""The terminal without a screen, against a server in memory written from the protocol alone, and the real one."""
