"""Dynamic information (监管动态信息): what any post sees, which leads the duty of the others."""

from backend.records.dynamic_info.kind import DYNAMIC_INFO

KINDS = (DYNAMIC_INFO,)
