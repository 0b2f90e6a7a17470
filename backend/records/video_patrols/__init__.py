"""Video patrols (视频巡查)."""

from backend.records.video_patrols.kind import VIDEO

KINDS = (VIDEO,)
