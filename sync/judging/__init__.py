"""What becomes of an operation: read as one, judged against what is known, turned into rows. No request, no route."""
