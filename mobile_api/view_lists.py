"""Forms of the auditor's views: what waits, what disagrees, what was set aside, epochs and clocks (docs/audit.md)."""

from __future__ import annotations

from marshmallow import Schema, fields

from mobile_api.view_forms import (
    Author,
    Labelled,
    Named,
    OperationEntry,
    Page,
    Word,
    anything,
    nested,
    several,
    text,
    time,
    whole,
)


class HeldEntry(Schema):
    """An operation in custody; ``age`` in milliseconds."""

    op = text(allow_none=True)
    terminal = nested(Labelled, allow_none=True)
    incarnation = whole()
    n = whole()
    received_at = time()
    age = whole()
    deadline = time()
    overdue = fields.Boolean(required=True)
    waits_for = fields.List(text(), required=True)


class Backlog(Page):
    """What waits, the nearest deadline first; ``held`` counts the whole facility's."""

    held = whole()
    operations = several(HeldEntry)


class HeldTerminal(Schema):
    """How much of a terminal's waits."""

    terminal = nested(Labelled, allow_none=True)
    held = whole()
    oldest = time()
    deadline = time()


class BacklogTerminals(Page):
    """The backlog by terminal."""

    terminals = several(HeldTerminal)


class Need(Schema):
    """What has not come, and how many operations wait for it."""

    id = text()
    held = whole()


class BacklogNeeds(Page):
    """The backlog by what it waits for."""

    needs = several(Need)


class Settler(Schema):
    """Who settled a conflict."""

    officer = nested(Author)
    op = text()
    reason = text()
    at = time()


class ConflictEntry(Schema):
    """A dispute; ``age`` in milliseconds, until now or its settlement; ``doc`` as docs/protocol.md, section 10, has it."""

    conflict = text()
    partition = text()
    version = whole()
    state = text()
    opened_at = time()
    changed_at = time()
    age = whole()
    settled_by = nested(Settler, allow_none=True)
    doc = anything()


class Conflicts(Page):
    """Disputes."""

    conflicts = several(ConflictEntry)


class KeptEntry(OperationEntry):
    """An operation whose bytes were set aside; longer ones than 64 KiB are given by its path alone."""

    problem = anything(allow_none=True)
    raw = text(allow_none=True)


class Quarantine(Page):
    """What could not be read, the last received first."""

    operations = several(KeptEntry)


class EscrowEntry(KeptEntry):
    """An operation in escrow, with the leader's word once it was given."""

    officer = nested(Named, allow_none=True)
    observed_at = text(allow_none=True)
    word = nested(Word, allow_none=True)


class Escrow(Page):
    """Whose right had been lost, the last received first."""

    operations = several(EscrowEntry)


class Stands(Schema):
    """What has the number."""

    op = text(allow_none=True)
    status = text()
    hash = text()


class ForkEntry(Schema):
    """Bytes that came on a number or link that others had taken."""

    terminal = nested(Labelled, allow_none=True)
    incarnation = whole()
    n = whole()
    hash = text()
    op = text(allow_none=True)
    received_at = time()
    length = whole()
    raw = text(allow_none=True)
    stands = nested(Stands, allow_none=True)


class Forks(Page):
    """Forks, by terminal and number."""

    forks = several(ForkEntry)


class Epoch(Schema):
    """An epoch. ``lost``: so many leaves at least were signed and are no longer there; ``shown_by``: who proved it."""

    epoch = whole()
    present = fields.Boolean(required=True)
    opened_at = time(allow_none=True)
    reason = text(allow_none=True)
    operator = text(allow_none=True)
    size = whole()
    root = text()
    lost = whole()
    shown_by = fields.List(text(), required=True)


class Backup(Schema):
    """A copy of the store that was read back and verified up to a size of the log."""

    epoch = whole()
    size = whole()
    root = text()
    verified_at = time()


class Epochs(Schema):
    """The log as it is, its newest verified backup, and its epochs, the newest first."""

    epoch = whole()
    size = whole()
    safe_size = whole()
    head = text()
    backup = nested(Backup, allow_none=True)
    epochs = several(Epoch)


class At(Schema):
    """An operation by its number."""

    incarnation = whole()
    n = whole()


class Offset(Schema):
    """One start of a device: by how many milliseconds its clock was ahead of the server's, at least and at most."""

    boot = text()
    first = nested(At)
    last = nested(At)
    operations = whole()
    ahead_least = whole()
    ahead_most = whole(allow_none=True)


class Jump(At):
    """The clock was moved by so many milliseconds before this number."""

    by = whole()


class Backwards(At):
    """Recorded earlier, or counted less, than the number before."""

    by = whole()
    counted_by = whole(allow_none=True)


class Future(At):
    """Recorded after its receipt, or seen after it was recorded, by so many milliseconds."""

    recorded_by = whole()
    observed_by = whole()


class Batch(Schema):
    """Things of one kind, entered one right after the other, and said to have been seen over a longer time."""

    kind = text()
    first = nested(At)
    last = nested(At)
    operations = whole()
    entered_within = whole()
    observed_over = whole()


class Even(Schema):
    """Things of one kind that were seen at one interval again and again."""

    kind = text()
    first = nested(At)
    last = nested(At)
    operations = whole()
    interval = whole()


class Clock(Schema):
    """What a terminal's operations say of its clock; times in milliseconds."""

    terminal = nested(Labelled)
    operations = whole()
    clocks = several(Offset)
    jumps = several(Jump)
    backwards = several(Backwards)
    future = several(Future)
    entered_together = several(Batch)
    even_intervals = several(Even)


class Clocks(Page):
    """Clocks, by terminal."""

    terminals = several(Clock)


class ClockPage(Clock, Page):
    """One terminal's clock over some of its operations."""
