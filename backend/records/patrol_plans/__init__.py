"""Plans of patrols (巡视计划): the windows in which a ward is to be walked."""

from backend.records.patrol_plans.kind import PLAN

KINDS = (PLAN,)
