"""Dictionaries of custody: stages of proceedings, grounds of release, grades of risk.

The stages follow the parts of the 刑事诉讼法 of 2018 (detention art. 82, arrest art. 80, review for prosecution art. 169,
first instance art. 186, second instance art. 227, review of death sentences art. 246, execution art. 264); the last four
are those of the other facility types. The words are ours: no source gives a national code.
"""

from __future__ import annotations

from collections.abc import Mapping

from backend.kernel.kind import Text

STAGES: Mapping[str, Text] = {
    "detained": Text("刑事拘留", "criminal detention"),
    "arrested": Text("逮捕（侦查）", "arrest, under investigation"),
    "prosecution": Text("审查起诉", "review for prosecution"),
    "first_instance": Text("一审", "first instance"),
    "second_instance": Text("二审", "second instance"),
    "death_review": Text("死刑复核", "review of a death sentence"),
    "sentenced": Text("判决生效待交付执行", "sentenced, to be handed over"),
    "serving_here": Text("留所服刑", "serving in the detention house"),
    "administrative": Text("行政拘留", "administrative detention"),
    "judicial": Text("司法拘留", "judicial detention"),
    "rehabilitation": Text("强制隔离戒毒", "compulsory rehabilitation"),
    "imprisoned": Text("监狱服刑", "imprisoned"),
}

GROUNDS: Mapping[str, Text] = {
    "term_served": Text("刑满或期满", "term served"),
    "acquitted": Text("宣告无罪", "acquitted"),
    "not_prosecuted": Text("不起诉", "not prosecuted"),
    "case_withdrawn": Text("撤销案件", "case withdrawn"),
    "bail": Text("取保候审", "bail"),
    "residence": Text("监视居住", "residential surveillance"),
    "suspended": Text("缓刑、假释或暂予监外执行", "suspended, paroled or served outside"),
    "handed_over": Text("交付执行", "handed over for execution"),
    "transferred": Text("移送其他监所", "transferred to another facility"),
    "other": Text("其他", "other"),
}
"""看守所条例39 and 刑事诉讼法98 ask for a document of release; the list of grounds is a local default, not law."""

RISKS: Mapping[str, Text] = {
    "grade1": Text("一级风险", "grade 1"),
    "grade2": Text("二级风险", "grade 2"),
    "grade3": Text("三级风险", "grade 3"),
}
"""Grades by which patrols, talks and checks are scheduled (rules P02, P05, T11); 1 is the highest."""
