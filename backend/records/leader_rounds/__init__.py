"""Rounds of leaders (领导巡查)."""

from backend.records.leader_rounds.kind import LEADER_ROUND

KINDS = (LEADER_ROUND,)
