"""A roster of officers: number, name, posts, wards. Each gets a temporary secret, which is told once."""

from __future__ import annotations

from backend.domain.posts import HELD, Post
from backend.identity import credentials
from backend.identity.officers import NewOfficer
from backend.imports.columns import Column, Reader, Row
from backend.imports.known import Known
from backend.imports.plan import Plan, place, unique
from backend.imports.table import Table
from backend.imports.words import listed, words
from backend.kernel.ids import uuid7
from backend.kernel.problems import Problem

MOST_OFFICERS = 500
"""A secret takes 20 ms to hash (backend.identity.credentials)."""
COLUMNS = (
    Column("number", ("警号", "编号", "工号"), needed=True),
    Column("name", ("姓名",), needed=True),
    Column("posts", ("岗位", "职务", "角色"), words, needed=True),
    Column("wards", ("监区", "责任监区", "管辖监区"), listed),
)
_NAMES = {
    Post.INT: ("接待收押提讯", "接待", "收押", "提讯"),
    Post.PAT: ("巡控", "巡视监控", "巡视"),
    Post.DISC: ("管教",),
    Post.MED: ("医务", "医生", "狱医"),
    Post.AUX: ("辅警",),
    Post.LEAD: ("值班领导", "带班领导"),
    Post.DIR: ("所长",),
    Post.AUD: ("同步审计", "审计"),
    Post.PROC: ("驻所检察", "检察"),
    Post.ADM: ("系统管理", "管理员"),
    Post.CITY: ("市局值班",),
}
_POSTS = {name.casefold(): post for post in HELD for name in (post.value, *_NAMES.get(post, ()))}
_LONGEST_NUMBER, _LONGEST_NAME = 32, 80


def plan(reader: Reader, table: Table, known: Known, now: int) -> Plan:
    """The officers of a table."""
    made, wards = Plan(), known.by_code()
    for row in unique(reader, reader.rows(table), "number", known.officers):
        posts = _posts(reader, row)
        places = [place(reader, row, "wards", code, wards, "ward") for code in row.said.get("wards", ())]
        if _fits(reader, row, "number", _LONGEST_NUMBER) and _fits(reader, row, "name", _LONGEST_NAME) and posts:
            given = tuple(dict.fromkeys(each for each in places if each))
            number, name = row.said["number"], row.said["name"]
            officer = NewOfficer(uuid7(now), number, name, posts, credentials.temporary(), given, temporary=True)
            made.officers.append(officer)
            made.made.append({"row": row.number, "id": officer.officer, "number": number})
    return made


def _posts(reader: Reader, row: Row) -> tuple[Post, ...]:
    """The posts of a row in the order of the posts; none, and an error, when a word is not one."""
    found = {word: _POSTS.get(word.casefold()) for word in row.said["posts"]}
    for word, post in found.items():
        if post is None:
            reader.blame(row.number, "posts", Problem("cell.word"), word)
    if not found:
        reader.blame(row.number, "posts", Problem("field.missing"))
    return tuple(post for post in HELD if post in found.values()) if None not in found.values() else ()


def _fits(reader: Reader, row: Row, key: str, most: int) -> bool:
    if len(row.said[key]) > most:
        reader.blame(row.number, key, Problem("field.invalid"), row.said[key])
    return len(row.said[key]) <= most
