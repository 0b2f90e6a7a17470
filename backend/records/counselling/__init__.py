"""Referrals to counselling (心理咨询转介)."""

from backend.records.counselling.kind import COUNSELLING

KINDS = (COUNSELLING,)
