from headless import patrol
from tests.support.world import World, looked, tag


def test_a_round(both: World) -> None:
    t = both.terminal("PAT")
    t.pull()
    r = patrol.open_round(t, both.ids["W"])
    patrol.visit(t, r, both.ids["C1"], tag=tag("C1"), cell=looked(2), note=None)
    patrol.visit(t, r, both.ids["K"], tag=tag("K"), cell=None, note=None)
    patrol.close_round(t, r)
    out = t.push()
    assert [o["status"] for o in out] == ["applied"] * 4, out
    assert [o["marks"] for o in out] == [[]] * 4, out
    t.pull()
    assert len(t.rows("patrol.visit")) == 2
