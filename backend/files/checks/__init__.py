"""What a file really is, by its content alone, and whether it is that and nothing more.

Each module reads one format from its first byte to its last and refuses what the format does not need: bytes behind the
end, archives within, more pixels or more unpacked data than it may have. Nothing here decodes pictures or sound.
"""
