"""Wards and rights of officers: by route for administrators, by command at the server's console."""

from __future__ import annotations

from backend.storage import tables
from tests.support import store
from tests.support.caller import Caller, is_problem
from tests.support.reader import Copy
from tests.support.world import FACILITY, World


def acts(world: World) -> list[tuple[str, str, str]]:
    wanted = ("scope.assigned", "scope.ended", "officer.revoked")
    return [(leaf["act"], leaf["officer"], leaf["by"]) for leaf in store.leaves(world) if leaf["act"] in wanted]


def test_an_administrator_gives_and_takes_a_ward(both: World) -> None:
    caller, copy = Caller.of(both, "ADM"), Copy.of(both, "PAT").pull()
    pat, ward = both.ids["PAT"], both.ids["V"]
    for _ in range(2):
        response = caller.ask("POST", f"/v1/officers/{pat}/assignments", {"place": ward})
        assert (response.status_code, response.data) == (204, b"")
    assert both.ids["p4"] in copy.pull().rows
    for _ in range(2):
        assert caller.ask("DELETE", f"/v1/officers/{pat}/assignments/{ward}").status_code == 204
    assert both.ids["p4"] not in copy.pull().rows
    by = both.ids["ADM"]
    assert acts(both) == [("scope.assigned", pat, by), ("scope.ended", pat, by)]
    store.verified(both)


def test_an_administrator_revokes_an_officer(both: World) -> None:
    caller = Caller.of(both, "ADM")
    for _ in range(2):
        assert caller.ask("POST", f"/v1/officers/{both.ids['PAT']}/revoke").status_code == 204
    assert acts(both) == [("officer.revoked", both.ids["PAT"], both.ids["ADM"])]
    assert is_problem(Caller.of(both, "nobody").sign_in("PAT")) == "session.refused"


def test_what_is_not_there_is_not_found_and_changes_nothing(both: World) -> None:
    caller, stranger = Caller.of(both, "ADM"), both.ids["p1"]
    for method, path, body in (
        ("POST", f"{stranger}/assignments", {"place": both.ids["V"]}),
        ("DELETE", f"{stranger}/assignments/{both.ids['V']}", None),
        ("POST", f"{stranger}/revoke", None),
        ("POST", "nobody/revoke", None),
    ):
        response = caller.ask(method, f"/v1/officers/{path}", body)
        assert (response.status_code, is_problem(response)) == (404, "route.unknown"), path
    for place in (both.ids["p1"], both.ids["LEAD"]):
        response = caller.ask("POST", f"/v1/officers/{both.ids['PAT']}/assignments", {"place": place})
        assert (response.status_code, is_problem(response)) == (422, "reference.unknown")
    assert acts(both) == []


def test_the_console_does_the_same(both: World) -> None:
    runner = both.app.test_cli_runner()
    ward = both.ids["V"]
    for words in (("assign", "PAT", ward), ("unassign", "PAT", ward), ("revoke", "PAT")):
        command, *rest = words
        done = runner.invoke(args=["officers", command, FACILITY, *rest])
        assert done.exit_code == 0, done.output
    pat = both.ids["PAT"]
    assert acts(both) == [(act, pat, "console") for act in ("scope.assigned", "scope.ended", "officer.revoked")]
    listed = runner.invoke(args=["officers", "list", FACILITY]).output.splitlines()
    assert len(listed) == len(store.rows(both, tables.officers))
    told = {line.split("\t")[0]: line.split("\t")[3] for line in listed}
    assert told["PAT"].startswith("revoked 20") and told["PAT2"] == both.ids["V"] and told["LEAD"] == "-"


def test_the_console_says_what_is_wrong_in_a_sentence(both: World) -> None:
    runner = both.app.test_cli_runner()
    ward = both.ids["V"]
    for words, said in (
        (("assign", "NONE", "PAT", ward), "there is no"),
        (("assign", FACILITY, "NOBODY", ward), "there is no officer NOBODY"),
        (("assign", FACILITY, "PAT", both.ids["p1"]), "reference.unknown"),
        (("revoke", FACILITY, "NOBODY"), "there is no officer NOBODY"),
    ):
        done = runner.invoke(args=["officers", *words])
        assert done.exit_code == 1 and said in done.output and "Traceback" not in done.output
