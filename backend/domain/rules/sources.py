"""What a rule rests on, in both languages: names of laws and regulations with their articles, practice, local defaults.

The table of duty rules names a source once, in whichever language it was read. The English names of laws are ours, where
no official one was found.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from backend.kernel.kind import Text

LAWS: Mapping[str, str] = {
    "看守所条例": "Detention Centre Regulations",
    "看守所条例实施办法": "Measures on the Detention Centre Regulations",
    "看守所执法细则": "Detention centre enforcement rules",
    "看守所在押人员死亡处理规定": "Rules on deaths in detention centres",
    "拘留所条例": "Lock-up Regulations",
    "戒毒条例": "Drug Rehabilitation Regulations",
    "监狱法": "Prison Law",
    "社区矫正法": "Community Correction Law",
    "刑事诉讼法": "Criminal Procedure Law",
    "刑诉规则": "Procuratorate's Rules of Criminal Procedure",
    "人民检察院刑事诉讼规则": "Procuratorate's Rules of Criminal Procedure",
    "公安机关办理刑事案件程序规定": "Procedures of Public Security Organs in Criminal Cases",
    "程序规定": "Procedures of Public Security Organs in Criminal Cases",
    "公安机关适用刑事羁押期限规定": "Rules on Custody Terms",
    "期限规定": "Rules on Custody Terms",
    "同上": "the same",
    "法律援助法": "Legal Aid Law",
    "留所服刑管理办法": "Measures on serving a sentence in a detention centre",
    "网络安全法": "Cybersecurity Law",
    "个人信息保护法": "Personal Information Protection Law",
    "突发公共卫生事件应急条例": "Regulations on Public Health Emergencies",
    "公安部令": "Order of the Ministry of Public Security",
    "设备安全巡检制度": "Equipment inspection rules",
    "公通字": "Notice Gongtongzi",
    "公监管": "Notice Gongjianguan",
}
"""The names of laws as the table gives them."""
PRACTICE: Mapping[str, Text] = {
    "local default": Text("本地默认", "local default"),
    "guidance of 2018": Text("2018 年指导意见", "guidance of 2018"),
    "practice of deployed systems": Text("已部署系统的做法", "practice of deployed systems"),
    "practice": Text("实践做法", "practice"),
    "draft health rules": Text("卫生规则草案", "draft health rules"),
    "falsification cases": Text("伪造记录案例", "falsification cases"),
    "after": Text("参照", "after"),
    "reported": Text("据报道", "reported"),
    "summary": Text("摘要", "summary"),
    "days": Text("日", "days"),
    "Mandela Rules": Text("《曼德拉规则》", "Mandela Rules"),
    "WMA Declaration of Malta": Text("世界医学会《马耳他宣言》", "WMA Declaration of Malta"),
    "PACE Code C Annex H": Text("英国 PACE 守则 C 附件 H", "PACE Code C Annex H"),
    "Yangshuo": Text("阳朔", "Yangshuo"),
    "Nantong": Text("南通", "Nantong"),
    "Xingtai": Text("邢台", "Xingtai"),
    "Shizuishan": Text("石嘴山", "Shizuishan"),
    "Haicang": Text("海沧", "Haicang"),
}
"""What is said in English there; abbreviations of foreign rules stand as they are."""

_LONGEST = sorted(LAWS, key=len, reverse=True)
_CITED = re.compile(f"({'|'.join(_LONGEST)})(\\[[0-9]+\\])?([0-9][0-9,-]*)?(号)?([0-9]+)?")
_SPOKEN = re.compile("|".join(map(re.escape, sorted(PRACTICE, key=len, reverse=True))))


def in_both(source: str) -> Text:
    """A source as the table names it, in Chinese and in English."""
    chinese = _SPOKEN.sub(lambda found: PRACTICE[found[0]].zh, source)
    return Text(_CITED.sub(_chinese, chinese), _CITED.sub(_english, source))


def _chinese(found: re.Match[str]) -> str:
    law, year, number, ordinal, article = found.groups(default="")
    if ordinal:
        return f"{law}{year}{number}号" + (f"第{article}条" if article else "")
    return law + (f"第{number}条" if number and law != "看守所执法细则" else number)


def _english(found: re.Match[str]) -> str:
    law, year, number, ordinal, article = found.groups(default="")
    name = LAWS[law]
    if ordinal:
        return (
            f"{name} {year}No. {number}" if year else f"{name} No. {number}" + (f", art. {article}" if article else "")
        )
    return name + (f", art. {number}" if number and law != "看守所执法细则" else f" {number}" if number else "")
