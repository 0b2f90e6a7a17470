"""One folder a record kind. Its ``KINDS`` is all that anyone else takes from it; folders never import each other."""
