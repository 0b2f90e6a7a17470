"""What the Makefile calls: serving, building the terminal, keeping documents true."""
