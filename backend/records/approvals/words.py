"""The words of an approval in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from backend.domain.approvals import MATTERS
from backend.kernel.kind import Text
from backend.records.approvals.forms import GROUNDS
from backend.records.forms import named

STATES: Mapping[str, Text] = {
    "requested": Text("待审批", "waits for a decision"),
    "returned": Text("已退回补正", "sent back"),
    "emergency": Text("紧急先行，待补手续", "done first, paper to follow"),
    "granted": Text("已批准", "granted"),
    "refused": Text("不予批准", "refused"),
    "withdrawn": Text("已撤回", "withdrawn"),
    "cancelled": Text("已撤销", "taken back"),
}
STEPS: Mapping[str, Text] = {
    **STATES,
    "requested": Text("已呈请", "asked for"),
    "approved": Text("本级已同意，报上一级", "approved by this rank, goes up"),
    "resubmitted": Text("已补正重报", "submitted again"),
    "passed_on": Text("已转办", "passed on"),
}
EVENTS: Mapping[str, Text] = {
    "approval.requested": Text("呈请审批", "an approval is asked for"),
    "approval.granted": Text("批准", "an approval is granted"),
    "approval.refused": Text("不予批准", "an approval is refused"),
    "approval.returned": Text("退回补正", "an approval is sent back"),
    "approval.passed_on": Text("转办或报上一级", "an approval goes to another officer or rank"),
    "approval.emergency": Text("紧急先行", "something is done before its paper"),
    "approval.withdrawn": Text("撤回", "a request for approval is withdrawn"),
    "approval.circulated": Text("送会签", "an officer is asked to countersign"),
}
LABELS: Mapping[str, Text] = {
    "matter": Text("审批事项", "matter"),
    **named("matter", {name: matter.text for name, matter in MATTERS.items()}),
    "person": Text("被监管人员", "person"),
    "place": Text("场所", "place"),
    "about": Text("所批方案记录", "record of the plan"),
    "what": Text("呈请内容", "what is asked for"),
    "officers": Text("执行民警", "officers who do it"),
    "since": Text("开始时间", "from"),
    "until": Text("结束时间", "until"),
    "expires_at": Text("批准有效期至", "counts until"),
    "countersigners": Text("会签民警", "officers who countersign"),
    "answer": Text("补正说明", "what was added"),
    "digest": Text("内容摘要值", "digest of the decision"),
    "delegation": Text("授权记录", "delegation"),
    "countersigned": Text("会签记录", "countersignatures"),
    "document": Text("外部批准文号", "number of the outside decision"),
    "opinion": Text("审批意见", "opinion"),
    "reason": Text("理由", "reason"),
    "officer": Text("承办领导", "officer"),
    "ground": Text("紧急情形", "emergency"),
    **named("ground", GROUNDS),
    "second": Text("第二名民警", "second officer"),
    "bound": Text("所批方案", "the plan that it is bound to"),
    "chain": Text("审批层级", "chain"),
    "passed": Text("已过层级", "ranks passed"),
    "with": Text("现承办人", "with whom it is"),
    "requested_by": Text("呈请人", "who asked for it"),
    "granted_at": Text("生效时间", "counts from"),
    "code": Text("放行码", "code"),
    "paper_due": Text("补办手续期限", "paper due"),
    "state": Text("状态", "state"),
    **named("state", STATES),
    "steps": Text("办理过程", "steps"),
    **named("steps.step", STEPS),
}
