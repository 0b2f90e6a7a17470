"""Education (教育课堂): who was there."""

from backend.records.education.kind import EDUCATION

KINDS = (EDUCATION,)
