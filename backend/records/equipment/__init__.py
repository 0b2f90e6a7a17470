"""Equipment (设备设施): rounds, and faults until they are repaired."""

from backend.records.equipment.fault import FAULT
from backend.records.equipment.round import ROUND

KINDS = (ROUND, FAULT)
