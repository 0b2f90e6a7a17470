"""What a facility says of the rules of duty: values that it changes, and that its lawyer confirmed the pack."""

from backend.records.rules.override import OVERRIDE
from backend.records.rules.signature import SIGNATURE

KINDS = (OVERRIDE, SIGNATURE)
