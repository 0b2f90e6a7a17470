"""Named questions over records, for those who need several kinds at once."""
