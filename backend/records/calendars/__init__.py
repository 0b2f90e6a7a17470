"""What a facility says of days: holidays and make-up workdays (调休)."""

from backend.records.calendars.kind import DAY

KINDS = (DAY,)
