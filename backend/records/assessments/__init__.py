"""Risk assessments (风险评估) of persons held."""

from backend.records.assessments.kind import ASSESSMENT

KINDS = (ASSESSMENT,)
