"""Emergencies (突发事件) in a custody facility: their types, who has which part in one, and what is to be done (预案).

The guidance of 2018 asks for plans, evacuation and drills without giving their text. The lists below are local defaults of
ours and not law, put together from what the sources name: 看守所条例 17–18 and 46 (force, reports), 监狱法 42 and 戒毒条例 32
(escape), 看守所在押人员死亡处理规定 5–7 (death), 突发公共卫生事件应急条例 20 (outbreak: two hours).
"""

from __future__ import annotations

from collections.abc import Mapping

from backend.kernel.kind import Text

TYPES: Mapping[str, Text] = {
    "escape": Text("脱逃", "escape"),
    "riot": Text("暴动闹监", "riot"),
    "hostage": Text("劫持人质", "hostage taking"),
    "assault": Text("行凶打架", "assault"),
    "self_harm": Text("自杀自伤", "self-harm"),
    "death": Text("死亡", "death"),
    "medical": Text("突发疾病", "medical emergency"),
    "outbreak": Text("疫情或食物中毒", "outbreak or food poisoning"),
    "fire": Text("火灾", "fire"),
    "disaster": Text("自然灾害", "natural disaster"),
    "attack": Text("外部冲击", "attack from outside"),
    "failure": Text("停电或设备故障", "power or equipment failure"),
    "headcount": Text("人数不符", "head count differs"),
    "other": Text("其他", "other"),
}

ROLES: Mapping[str, Text] = {
    "commander": Text("现场指挥", "commander"),
    "response": Text("现场处置", "response"),
    "guard": Text("看押警戒", "guard and cordon"),
    "evacuation": Text("疏散清点", "evacuation and count"),
    "medical": Text("医疗救护", "medical care"),
    "video": Text("视频监控", "video"),
    "liaison": Text("联络报告", "liaison and reports"),
    "logistics": Text("后勤保障", "supplies"),
}

ITEMS: Mapping[str, Text] = {
    "alarm": Text("发出警报，通知值班领导", "raise the alarm, tell the leader on duty"),
    "lock": Text("封闭监区，停止一切出入", "lock the wards, stop all movement"),
    "count": Text("全所清点人数", "count everybody"),
    "armed_police": Text("通知武警联动", "tell the armed police"),
    "report_up": Text("报告上级公安机关", "report to the superior bureau"),
    "procuratorate": Text("通报驻所检察室", "tell the stationed procuratorate"),
    "case_organ": Text("通知办案单位", "tell the case organ"),
    "family": Text("通知家属", "tell the family"),
    "first_aid": Text("现场急救，必要时送医", "first aid, hospital if need be"),
    "separate": Text("隔离当事人员", "separate those involved"),
    "evacuate": Text("按预定路线疏散", "evacuate by the planned routes"),
    "fire_brigade": Text("拨打119，切断电源气源", "call 119, cut power and gas"),
    "extinguish": Text("使用就近器材灭火", "fight the fire with what is near"),
    "negotiate": Text("稳控情绪，专人谈判", "calm down, one person negotiates"),
    "search": Text("查明去向，封锁出口和周边", "find out where to, close exits and surroundings"),
    "isolate": Text("隔离病人和密切接触者", "isolate the sick and their contacts"),
    "health_office": Text("两小时内报告卫生部门", "report to the health office within two hours"),
    "samples": Text("留存食物和样本", "keep food and samples"),
    "backup_power": Text("启用备用电源和应急照明", "backup power and emergency lights"),
    "double_patrol": Text("加派巡视，人工看守", "more patrols, guard by hand"),
    "seal_video": Text("封存相关录像", "seal the recordings"),
    "preserve": Text("保护现场，固定证据", "keep the scene and the evidence"),
    "recount": Text("十分钟内复点", "count again within ten minutes"),
    "reconcile": Text("核对出所就医、开庭、提讯名单", "check the lists of hospital, court and interrogation"),
    "statement": Text("形成书面情况报告", "write the report"),
}

_PLANS: Mapping[str, tuple[str, ...]] = {
    "escape": ("alarm", "lock", "count", "search", "armed_police", "report_up", "procuratorate", "case_organ", "seal_video"),
    "riot": ("alarm", "lock", "armed_police", "separate", "first_aid", "report_up", "procuratorate", "seal_video"),
    "hostage": ("alarm", "lock", "armed_police", "negotiate", "first_aid", "report_up", "procuratorate", "seal_video"),
    "assault": ("alarm", "separate", "first_aid", "preserve", "seal_video", "case_organ"),
    "self_harm": ("alarm", "first_aid", "separate", "preserve", "seal_video", "case_organ", "family"),
    "death": ("alarm", "first_aid", "preserve", "seal_video", "report_up", "procuratorate", "case_organ", "family"),
    "medical": ("alarm", "first_aid", "case_organ", "family"),
    "outbreak": ("alarm", "isolate", "first_aid", "samples", "health_office", "report_up", "procuratorate"),
    "fire": ("alarm", "evacuate", "count", "fire_brigade", "extinguish", "armed_police", "first_aid", "report_up"),
    "disaster": ("alarm", "evacuate", "count", "first_aid", "armed_police", "backup_power", "report_up"),
    "attack": ("alarm", "lock", "armed_police", "count", "report_up", "seal_video"),
    "failure": ("alarm", "backup_power", "double_patrol", "count", "report_up"),
    "headcount": ("recount", "reconcile", "lock", "search", "report_up"),
    "other": ("alarm", "report_up"),
}  # fmt: skip


def checklist(type_: str) -> tuple[str, ...]:
    """What is to be done in an emergency of a type, in its order; the written report stands last in each."""
    return (*_PLANS[type_], "statement")
