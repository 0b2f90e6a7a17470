"""News while a terminal listens: streams, who hears what, and other processes on the same database."""
