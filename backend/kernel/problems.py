"""Everything that can be wrong, as one closed set: code, HTTP status, a sentence in Chinese and in English.

A problem is either an answer to a request (RFC 9457) or the reason inside an operation's outcome. Neither ever
carries text that is not listed here, so that nothing leaks and every message can be translated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the catalogue. ``detail`` names the keys that its ``detail`` object may carry."""

    code: str
    status: int
    zh: str
    en: str
    detail: tuple[str, ...] = ()


_ROWS = (
    # requests in general
    Entry("request.malformed", 400, "请求无法读取", "The request cannot be read."),
    Entry("request.invalid", 422, "请求内容有误，请看各字段", "The request has wrong fields."),
    Entry("field.invalid", 422, "该字段的值不符合要求", "This field's value is not allowed."),
    Entry("field.missing", 422, "缺少必填字段", "A required field is missing."),
    Entry("field.unknown", 422, "没有这个字段", "There is no such field."),
    Entry("route.unknown", 404, "没有这个地址", "There is nothing at this address."),
    Entry("method.not_allowed", 405, "该地址不支持这种请求方法", "This address does not take that method."),
    Entry("type.unsupported", 415, "不支持这种内容类型", "This content type is not supported."),
    Entry("body.too_large", 413, "内容过大", "The body is too large.", ("limit",)),
    Entry(
        "server.busy",
        503,
        "服务器繁忙，请稍后重试，数据未丢失",
        "The server is busy; try again, nothing is lost.",
        ("retry_after",),
    ),
    Entry(
        "server.behind",
        503,
        "数据库早于已签发的记录，已停止写入，等待管理员处置，数据未丢失",
        "The database is older than what was signed; writing has stopped until it is settled, nothing is lost.",
        ("retry_after",),
    ),
    Entry(
        "terminal.busy",
        429,
        "该终端已有请求在处理，请稍后重试",
        "This terminal has requests in progress; try again later.",
        ("retry_after",),
    ),
    Entry("stream.full", 503, "实时通道已满，请稍后重试", "All streams are taken; try later.", ("retry_after",)),
    Entry("partition.forbidden", 403, "该分区不在您的权限范围内", "This partition is not in your scope."),
    Entry("snapshot.gone", 404, "该快照已失效，请重新请求", "This snapshot is no longer there; ask again."),
    Entry("range.invalid", 416, "请求的字节范围无效", "The range of bytes cannot be given."),
    Entry("server.fault", 500, "服务器内部错误，已记录", "A fault inside the server; it has been recorded."),
    # files
    Entry("upload.version", 412, "只支持 tus 1.0.0", "Only tus 1.0.0 is spoken here."),
    Entry("upload.offset", 409, "续传位置与服务器不符", "The offset is not where the upload stands.", ("offset",)),
    Entry("upload.busy", 423, "该上传正在进行，请稍后重试", "This upload is in progress elsewhere.", ("retry_after",)),
    Entry("upload.checksum", 460, "校验和不符，这一段未保存", "The checksum differs; this part was not kept."),
    Entry(
        "upload.unpromised",
        409,
        "尚无记录引用的文件过多，请先推送记录",
        "Too many files that no operation names yet; push the operations first.",
        ("files", "bytes"),
    ),
    Entry("file.type", 415, "不接收这种文件", "Files of this type are not taken."),
    Entry("file.too_large", 413, "文件过大", "The file is too large.", ("limit",)),
    Entry("file.digest", 422, "文件与登记的摘要不符，已丢弃", "The file is not the one promised; it was thrown away."),
    Entry(
        "file.unsafe",
        422,
        "文件已损坏或夹带其他内容，已丢弃",
        "The file is damaged or carries more than it should; it was thrown away.",
        ("reason",),
    ),
    # who asks
    Entry("proof.missing", 401, "缺少终端密钥证明", "The proof of the terminal's key is missing."),
    Entry("proof.invalid", 401, "终端密钥证明无效", "The proof of the terminal's key is not valid."),
    Entry("proof.nonce_required", 401, "请使用服务器给出的随机数重新签名", "Sign again with the server's nonce."),
    Entry("proof.replayed", 401, "该证明已被使用，请重新签名", "This proof was used before; sign again."),
    Entry("session.missing", 401, "请先登录", "Sign in first."),
    Entry(
        "session.expired",
        401,
        "登录已过期，请重新登录，待发数据保留",
        "The session has ended; sign in again, the queue is kept.",
    ),
    Entry("session.refused", 401, "警号或密码不正确", "Number or secret is wrong."),
    Entry("sign_in.locked", 429, "输错次数过多，请稍后再试", "Too many wrong secrets; try later.", ("retry_after",)),
    Entry("rate.limited", 429, "请求过于频繁，请稍后再试", "Too many requests; try later.", ("retry_after",)),
    Entry("secret.temporary", 403, "请先修改初始密码", "The secret was set by somebody else; change it first."),
    Entry("secret.wrong", 422, "密码不正确", "The secret is wrong."),
    Entry(
        "secret.weak",
        422,
        "密码过于简单：至少 8 个字符，或 6 位以上不重复、不连续的数字，且不同于警号和原密码",
        "Too weak: 8 signs or more, or 6 digits or more that neither repeat nor run, other than number and old secret.",
    ),
    Entry("terminal.unknown", 401, "终端未登记", "This terminal is not enrolled."),
    Entry(
        "terminal.revoked",
        403,
        "终端已停用，请经撤离通道上交待发数据",
        "This terminal has been revoked; hand in its queue by the evacuation route.",
    ),
    Entry(
        "terminal.pending",
        403,
        "终端已登记，等待管理员批准",
        "This terminal is enrolled and waits for an administrator's approval.",
    ),
    Entry("terminal.refused", 403, "管理员未批准该终端", "An administrator did not approve this terminal."),
    Entry(
        "terminal.not_pending",
        409,
        "该终端不在待批准状态",
        "This terminal does not wait for approval.",
        ("state",),
    ),
    Entry("evacuation.not_ordered", 409, "终端未停用，请正常推送", "This terminal is not revoked; push as usual."),
    Entry("code.invalid", 403, "登记码无效、已使用或已过期", "The enrolment code is wrong, used or expired."),
    Entry("role.forbidden", 403, "您的岗位无权进行此操作", "Your post may not do this."),
    Entry("officer.exists", 409, "该警号已有民警", "There is an officer of this number already."),
    Entry("facility.exists", 409, "该机构编号已存在", "There is a facility of this id already."),
    # a push as a whole
    Entry("frame.malformed", 400, "推送内容的分帧有误", "The frames of the push are malformed.", ("at",)),
    Entry("batch.too_large", 413, "一次推送的操作过多", "Too many operations in one push.", ("limit",)),
    Entry(
        "chain.fork",
        409,
        "同一编号出现不同内容，该代次已冻结，请申请新代次",
        "A number came with other bytes; this incarnation is frozen, ask for a new one.",
        ("n",),
    ),
    Entry(
        "incarnation.frozen",
        409,
        "该代次已冻结或已结束，请使用新代次",
        "This incarnation is frozen or has ended; use a new one.",
        ("incarnation",),
    ),
    Entry(
        "incarnation.taken",
        409,
        "新代次已发给另一密钥，请重新登记",
        "The new incarnation was given to another key; enrol again.",
    ),
    Entry(
        "schema.unsupported",
        426,
        "记录格式版本不受支持，请升级，待发数据保留",
        "This schema version is not supported; upgrade, the queue is kept.",
        ("kind", "n", "supported"),
    ),
    Entry(
        "seal.unknown",
        409,
        "操作所用的封装密钥不属于本服务器，请重新登录取得密钥，待发数据保留",
        "Sealed to a key that this server does not hold; sign in for the present one, the queue is kept.",
        ("n",),
    ),
    Entry(
        "seal.broken",
        422,
        "该操作的封装无法打开，请保留它并越过它继续推送",
        "The seal of this operation cannot be opened; keep it, and push on behind it.",
        ("n",),
    ),
    # one operation's outcome
    Entry(
        "operation.unreadable",
        422,
        "操作内容无法读取，原文已保存",
        "The operation cannot be read; its bytes are kept.",
        ("reason",),
    ),
    Entry(
        "operation.misaddressed",
        422,
        "操作中的终端、编号与推送不符，原文已保存",
        "Terminal or number inside differ from the push; the bytes are kept.",
    ),
    Entry("operation.repeated", 422, "该操作标识已被使用", "This operation id was used before."),
    Entry("operation.held", 424, "已收存，等待所依赖的内容", "In custody, until what it depends on has come."),
    Entry("kind.unknown", 422, "没有这种记录", "There is no such kind of record."),
    Entry("verb.unknown", 422, "该记录没有这种操作", "This kind has no such verb."),
    Entry("record.exists", 422, "记录已存在", "The record exists already."),
    Entry("record.unknown", 422, "没有这条记录", "There is no such record."),
    Entry("record.state", 422, "记录当前状态不允许此操作", "The record's state does not allow this.", ("state",)),
    Entry(
        "record.conflict",
        409,
        "记录已被他人修改，两个版本均已保存",
        "The record had moved on; both values are kept.",
        ("version",),
    ),
    Entry("record.removed", 409, "记录已被移除，两者均已保存", "The record was taken away; both are kept."),
    Entry("record.disputed", 409, "记录存在争议，此值已并入", "The record is under dispute; this value has joined it."),
    Entry(
        "dispute.full",
        409,
        "该争议的待选值已满，请先处置，再重新录入",
        "The dispute has as many values as it can hold; settle it, then enter this one again.",
    ),
    Entry("record.owned", 422, "此记录只能由建立它的终端修改", "Only the terminal that made this record changes it."),
    Entry(
        "reference.unknown",
        422,
        "引用的记录不存在或类型不符",
        "A record that is referred to is missing or of another kind.",
    ),
    Entry("dependency.rejected", 422, "所依赖的操作已被拒绝", "An operation that this one needs was refused.", ("op",)),
    Entry(
        "dependency.escrowed", 403, "所依赖的操作在托管中", "An operation that this one needs is in escrow.", ("op",)
    ),
    Entry(
        "settlement.outdated",
        409,
        "处置未涵盖全部争议值，须重新处置",
        "The settlement had not seen every value; it must be settled again.",
    ),
    Entry("settlement.second", 409, "争议已由他人处置，结果不同", "Another settlement came first and differs."),
    Entry(
        "settlement.scope",
        409,
        "处置人权限未涵盖全部争议值，已转交",
        "The settler's scope does not cover every value; it was passed on.",
    ),
    Entry("settlement.choice", 422, "处置选择不属于该争议", "The choice is not one of the disputed values."),
    Entry("escrow.unknown", 422, "没有这条托管操作", "There is no such operation in escrow."),
    # rules of duty
    Entry(
        "rule.forbids",
        409,
        "规则不允许该项计划中的操作，请按所列规则和依据办理；已填写的内容仍在终端上",
        "A rule does not allow this planned act; see the rule and its source. What you entered is still on the terminal.",
        ("rule", "text", "source", "basis"),
    ),
    Entry("rule.unknown", 422, "没有这条规则", "There is no such rule."),
    Entry(
        "rule.not_tighter",
        422,
        "法定规则只能收紧，不能放宽",
        "A legal rule may only be tightened, never relaxed.",
        ("rule", "value", "bound"),
    ),
    Entry(
        "officer.unauthorised",
        403,
        "该民警在当时无权进行此操作",
        "The officer was not allowed to do this at that time.",
    ),
    Entry(
        "officer.out_of_scope",
        403,
        "采集时不在该民警的权限范围内，已托管待领导处置",
        "Outside the officer's scope at that time; in escrow for a leader.",
    ),
    Entry(
        "officer.revoked",
        403,
        "采集时该民警已停用，已托管待领导处置",
        "The officer had been revoked at that time; in escrow for a leader.",
    ),
    Entry(
        "officer.off_post",
        403,
        "采集时该民警不在此岗位，已托管待领导处置",
        "The officer did not hold that post at that time; in escrow for a leader.",
    ),
    Entry(
        "terminal.evacuated",
        403,
        "终端停用后上交，已托管待领导处置",
        "Handed in after the terminal was revoked; in escrow for a leader.",
    ),
    Entry("signoff.missing", 422, "此操作需要签认", "This needs a sign-off."),
    Entry("signoff.invalid", 422, "签认内容不符合要求", "The sign-off is not of the required form."),
    Entry("factor.none", 409, "您尚未登记第二验证方式", "You have no second factor yet; add one first."),
    Entry(
        "factor.full", 409, "第二验证方式已达上限，请先移除不用的", "You have as many second factors as there may be."
    ),
    Entry("factor.refused", 403, "验证未通过", "The second factor's answer is not right."),
    Entry(
        "factor.locked",
        429,
        "验证失败次数过多，请稍后再试",
        "Too many wrong answers of a second factor; try later.",
        ("retry_after",),
    ),
    Entry("cosign.needless", 422, "该记录无需补签", "That record needs no second signature."),
    Entry(
        "confirmation.missing",
        422,
        "此决定须先以第二验证方式确认",
        "This decision must be confirmed by a second factor first.",
    ),
    Entry(
        "confirmation.invalid",
        422,
        "确认与此决定不符或已使用",
        "The confirmation is of another decision, officer or terminal, or was used.",
    ),
    Entry("confirmation.expired", 422, "确认已过期，请重新确认", "The confirmation came too late; confirm again."),
    Entry(
        "confirmation.lost",
        403,
        "确认记录在恢复前丢失，已托管待领导处置",
        "The confirmation was lost when the server was restored; in escrow for a leader.",
    ),
    # files of rosters and registers
    Entry("import.unreadable", 422, "文件无法读取", "The file cannot be read.", ("reason",)),
    Entry("import.too_large", 413, "文件超出限制", "The file is larger than is taken.", ("what", "limit")),
    Entry(
        "import.changed", 409, "文件与预览时不同，请重新预览", "The file is not the one of the preview; preview again."
    ),
    Entry("import.refused", 422, "文件有错误，未写入任何内容，请看预览", "The file has errors; nothing was written."),
    Entry("state.changed", 409, "情况已变化，未写入任何内容，请重新查看", "Things have changed; nothing was written."),
    Entry("sheet.ignored", 422, "只读取第一个工作表，其余未读", "Only the first sheet is read; there are others."),
    Entry("column.unknown", 422, "没有这一列", "There is no such column."),
    Entry("column.repeated", 422, "该列重复出现", "This column is there twice."),
    Entry("column.missing", 422, "缺少必需的列", "A required column is missing."),
    Entry("row.wide", 422, "该行的单元格多于标题", "The row has more cells than there are titles."),
    Entry("row.repeated", 422, "与前面的行重复", "An earlier row has the same.", ("row",)),
    Entry(
        "number.taken",
        422,
        "该编号已存在，导入不修改已有内容",
        "This number is taken; an import changes nothing that is there.",
    ),
    Entry("number.several", 422, "有多个处所使用该编号", "Several places have this code."),
    Entry("post.not_held", 422, "该民警未担任此岗位", "The officer does not hold this post."),
    Entry(
        "cell.number",
        422,
        "数字已失去精度，请将该列设为文本",
        "The number has lost digits or is none; make the column text.",
    ),
    Entry("cell.formula", 422, "不接受公式，请粘贴为数值", "Formulas are not taken; paste values."),
    Entry("cell.broken", 422, "单元格的值是错误或类型不符", "The cell holds an error, or no text."),
    Entry("cell.sign", 422, "含有不能保存的字符", "There is a sign in it that cannot be kept."),
    Entry("cell.long", 422, "单元格过长", "The cell is too long."),
    Entry("cell.word", 422, "不在可选值之内", "This is not one of the words that are known."),
    Entry("cell.day", 422, "日期无法识别", "This is not a date that can be read."),
    Entry("cell.time", 422, "时间无法识别，须有日期和时刻", "This is not a date with a time of day."),
    Entry(
        "cell.private",
        422,
        "含有自造字，其他设备可能无法显示",
        "There is a private-use sign in it; other devices may not show it.",
    ),
    Entry("resident_id.sex", 422, "性别与身份证号不符", "The sex is not that of the identity number."),
    Entry("resident_id.birth", 422, "出生日期与身份证号不符", "The birth is not that of the identity number."),
    Entry(
        "resident_id.repeated", 422, "身份证号与前面的行相同", "An earlier row has the same identity number.", ("row",)
    ),
)

MOST_FIELDS = 20
LONGEST_PATH = 200
"""Whoever sends thousands of wrong fields, or one of 60,000 signs, is not told, and no outcome kept, at that size."""

CATALOGUE: Mapping[str, Entry] = {row.code: row for row in _ROWS}


class Problem(Exception):
    """One thing that is wrong. Raised for a request; kept as a value inside an outcome.

    ``field`` is a path with dots (``fields.cell.headcount``); ``detail`` has only the keys that the catalogue allows;
    ``errors`` lists several wrong fields of one request.
    """

    def __init__(
        self,
        code: str,
        field: str | None = None,
        *,
        errors: tuple[Problem, ...] = (),
        **detail: Any,
    ) -> None:
        entry = CATALOGUE[code]
        if extra := set(detail) - set(entry.detail):
            raise ValueError(f"{code} has no detail {sorted(extra)}")
        super().__init__(code)
        self.entry = entry
        self.field = field
        self.detail = detail
        self.errors = errors

    @property
    def code(self) -> str:
        return self.entry.code

    def sentence(self) -> dict[str, Any]:
        """``{code, field?, zh, en, detail?}``: the part that an outcome and an answer share."""
        said: dict[str, Any] = {"code": self.entry.code}
        if self.field is not None:
            said["field"] = self.field
        said["zh"], said["en"] = self.entry.zh, self.entry.en
        if self.detail:
            said["detail"] = self.detail
        if self.errors:
            said["errors"] = [error.sentence() for error in self.errors]
        return said

    def document(self) -> dict[str, Any]:
        """The body of an ``application/problem+json`` answer."""
        return {"type": "about:blank", "status": self.entry.status, "title": self.entry.en} | self.sentence()


def of_fields(messages: Any, at: str = "") -> Problem:
    """marshmallow's messages as one problem: the first field's, with the first twenty listed when there are several."""
    found = field_problems(messages, at)[:MOST_FIELDS]
    return found[0] if len(found) == 1 else Problem(found[0].code, found[0].field, errors=tuple(found))


def field_problems(messages: Any, at: str = "") -> list[Problem]:
    """marshmallow's nested messages → one problem a field, in their order."""
    if isinstance(messages, dict):
        found = []
        for key, inner in messages.items():
            path = at if key == "_schema" else f"{at}.{key}" if at else str(key)
            found += field_problems(inner, path)
        return found
    text = messages[0] if isinstance(messages, list) and messages else ""
    code = {"Unknown field.": "field.unknown", "Missing data for required field.": "field.missing"}.get(
        text, "field.invalid"
    )
    return [Problem(code, at[:LONGEST_PATH] or None)]
