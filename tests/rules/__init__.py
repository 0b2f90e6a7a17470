"""The packs of duty rules, line by line."""
