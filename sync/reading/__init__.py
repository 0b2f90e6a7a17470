"""The way out: the rows of a scope by pull, by snapshot and by repair, and who was given what."""
