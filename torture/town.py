"""The facility that is tortured: its places, persons and officers by short names. Pure data, the same for every seed."""

from __future__ import annotations

from dataclasses import dataclass, field

FACILITY = "TORT"
SECRET = "a secret for torture"  # noqa: S105 - a synthetic facility's
WARDS = ("A", "B", "C")
CELLS = 3
HELD = 24
OFFICERS = {
    "PAT1": ("A",), "PAT2": ("B",), "PAT3": ("C",), "PAT4": ("A", "B"),
    "DISC1": ("A",), "DISC2": ("B",), "DISC3": ("C",),
    "AUX1": ("C",),
    "INT1": (), "INT2": (), "INT3": (), "LEAD1": (), "LEAD2": (), "MED1": (), "DIR1": (), "AUD1": (), "ADM1": (),
}  # fmt: skip
"""Number → wards; the post is the number without its last sign."""
WARD_POSTS = frozenset({"PAT", "DISC", "AUX"})


def post(number: str) -> str:
    """The post of an officer of that number."""
    return number[:-1]


def places() -> dict[str, tuple[str, str | None]]:
    """Code → (type, the ward's code)."""
    found: dict[str, tuple[str, str | None]] = {}
    for ward in WARDS:
        found[ward] = ("ward", None)
        found |= {f"{ward}{cell}": ("cell", ward) for cell in range(1, CELLS + 1)}
        found[f"{ward}K"] = ("checkpoint", ward)
    return found


def tag(code: str) -> str:
    """The NFC id mounted at a place."""
    return "04" + code.encode().hex().upper().rjust(12, "0")


def persons() -> dict[str, str]:
    """Short name → the cell he is in at first."""
    cells = [code for code, (kind, _) in places().items() if kind == "cell"]
    return {f"p{number}": cells[number % len(cells)] for number in range(1, HELD + 1)}


@dataclass(frozen=True)
class Town:
    """Ids by short name, and what the server at hand is able to do."""

    ids: dict[str, str]
    verbs: dict[str, dict[str, dict[str, object]]] = field(default_factory=dict)
    """Kind → verb → {creates, edits, watches, signoff}, as the server's registry says."""
    routes: frozenset[str] = frozenset()
    commands: dict[str, list[str]] = field(default_factory=dict)
    ground: str = ""
    """A ground of release that the server's form lists."""

    def can(self, kind: str, verb: str) -> bool:
        return verb in self.verbs.get(kind, {})
