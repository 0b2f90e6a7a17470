"""One folder a record kind. A folder's ``KINDS`` is all that anyone else takes from it; folders never import each other."""
