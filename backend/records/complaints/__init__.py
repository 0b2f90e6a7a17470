"""Complaints and appeals (投诉、控告、申诉) of persons held, and how they are forwarded."""

from backend.records.complaints.kind import COMPLAINT

KINDS = (COMPLAINT,)
