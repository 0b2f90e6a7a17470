"""Parts that are tried alone."""
