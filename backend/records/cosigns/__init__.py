"""Cosigns: a police officer's signature beside what an auxiliary signed or did alone."""

from backend.records.cosigns.kind import COSIGN

KINDS = (COSIGN,)
