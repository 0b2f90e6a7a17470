"""The engine: a pack, events and a clock → what is asked of whom. Pure."""
