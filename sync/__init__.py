"""Operations in, rows out. ``judging`` is what both ends rest on; ``writing``, ``reading`` and ``streaming`` know nothing
of each other but what ``news`` and ``digests`` say."""
