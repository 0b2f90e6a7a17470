"""Equipment of a custody facility that is looked at each day (设备安全巡检制度; rules P17, P17d).

The list is a local default, not law.
"""

from __future__ import annotations

from collections.abc import Mapping

from backend.kernel.kind import Text

ITEMS: Mapping[str, Text] = {
    "cell_door": Text("监室门锁", "cell doors and locks"),
    "gate": Text("监区门禁", "gates of the ward"),
    "window_bars": Text("窗栅", "bars of windows"),
    "wall_fence": Text("围墙及电网", "walls and electric fence"),
    "camera": Text("监控摄像", "cameras"),
    "intercom": Text("对讲及报警", "intercom and alarm buttons"),
    "broadcast": Text("广播及电视", "broadcast and television"),
    "lighting": Text("照明", "lighting"),
    "power": Text("供电及备用电源", "power and its reserve"),
    "water": Text("供水及卫浴", "water and washing"),
    "ventilation": Text("通风及取暖", "air and heating"),
    "fire": Text("消防设施", "fire protection"),
    "detector": Text("安检设备", "detectors"),
    "restraints": Text("械具", "restraints"),
    "network": Text("网络及终端", "network and terminals"),
    "other": Text("其他", "other"),
}
CONDITIONS: Mapping[str, Text] = {
    "works": Text("正常", "works"),
    "faulty": Text("故障", "faulty"),
    "damaged": Text("人为损坏", "damaged by somebody"),
    "unreachable": Text("未能检查", "could not be looked at"),
}
SEVERITIES: Mapping[str, Text] = {
    "minor": Text("轻微", "minor"),
    "important": Text("重要", "important"),
    "critical": Text("危及监管安全", "safety of custody is at risk"),
}
