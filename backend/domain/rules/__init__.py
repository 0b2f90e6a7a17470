"""The rules of duty as data: what a rule is, the packs, and how they are read. Pure."""
