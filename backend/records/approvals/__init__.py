"""Approvals (审批): what is asked for and decided by rank, who decides in another's place, who agrees, who has read it."""

from backend.records.approvals.approval import APPROVAL
from backend.records.approvals.countersign import COUNTERSIGN
from backend.records.approvals.delegation import DELEGATION
from backend.records.approvals.slip import SLIP

KINDS = (APPROVAL, COUNTERSIGN, DELEGATION, SLIP)
