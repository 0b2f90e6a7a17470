"""Posts of a custody facility (岗位) and what each may see, after the guidance of 2018 (catalogue row 27)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from backend.kernel.kind import Text


class Post(StrEnum):
    """A post. An officer may hold several."""

    INT = "INT"
    """接待收押提讯: the desk."""
    PAT = "PAT"
    """巡控: patrol and monitor."""
    DISC = "DISC"
    """管教: cell officer."""
    MED = "MED"
    """医务: medic."""
    AUX = "AUX"
    """辅警: auxiliary; cannot sign alone."""
    LEAD = "LEAD"
    """值班领导: leader on duty."""
    DIR = "DIR"
    """所长: director."""
    AUD = "AUD"
    """同步审计: auditor of the sync; reads, writes nothing."""
    PROC = "PROC"
    """驻所检察: stationed procuratorate; reads, writes nothing."""
    ADM = "ADM"
    """系统管理: administers officers and terminals; is given no records."""
    CITY = "CITY"
    """市局值班: duty of the city bureau; sees alerts, is given no records."""
    CASE = "CASE"
    """办案单位: the organ that runs a person's case; rules address it, no officer holds it."""
    SYS = "SYS"
    """系统: the server itself, which issues duties and closes them; no person holds it."""


POST_NAMES: Mapping[str, Text] = {
    Post.INT: Text("接待收押提讯岗", "desk"),
    Post.PAT: Text("巡控岗", "patrol"),
    Post.DISC: Text("管教岗", "cell officer"),
    Post.MED: Text("医务岗", "medic"),
    Post.AUX: Text("辅警", "auxiliary"),
    Post.LEAD: Text("值班领导", "leader on duty"),
    Post.DIR: Text("所长", "director"),
    Post.CITY: Text("市局值班", "city duty"),
    Post.CASE: Text("办案单位", "case organ"),
}
"""Posts that may be asked, in both languages."""

HELD = tuple(post for post in Post if post not in {Post.CASE, Post.SYS})
"""Posts that an officer may hold."""

POLICE = frozenset({Post.INT, Post.PAT, Post.DISC, Post.MED, Post.LEAD, Post.DIR})
"""Posts whose sign-off stands alone; an auxiliary's wants one of these beside it."""


WARD_POSTS = frozenset({Post.PAT, Post.DISC, Post.AUX})
"""Posts whose scope is the wards they are assigned to."""

FACILITY_POSTS = frozenset({Post.INT, Post.MED, Post.LEAD, Post.DIR, Post.AUD, Post.PROC})
"""Posts whose scope is the whole facility."""

READERS = WARD_POSTS | FACILITY_POSTS
"""Posts that are given records at all."""

FACILITY_TYPES = ("KSS", "JLS", "QJ", "PR", "SJ")
"""看守所, 拘留所, 强制隔离戒毒所, 监狱, 社区矫正."""
