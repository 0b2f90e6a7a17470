"""Applications for tests, of which hundreds are made in one process.

The routes, their document and the text of prepared statements are the same for every installation, and making them takes
four fifths of the time of ``create_app``. They are made once in a process; the parts that know a database are made anew
for each application, by the front door's own ``make_services``.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from flask import Flask
from sqlalchemy import Dialect
from sqlalchemy.sql import ClauseElement

from backend.kernel.clock import Clock
from backend.settings import Settings
from backend.storage.prepared import Prepared
from mobile_api.front import Front
from mobile_api.services import EXTENSION
from wsgi import _log_to_stderr, create_app, make_services

_models: list[Flask] = []
_texts: dict[Any, Prepared] = {}


def application(settings: Settings, clock: Clock) -> Flask:
    """What ``create_app`` makes of these settings, but for the terminal's files: those are served by its own alone."""
    assert settings.terminal_app is None
    if not _models:
        _models.append(create_app(settings, clock))
        return _models[0]
    _log_to_stderr(settings.log_level)
    made = copy.copy(_models[0])
    services = make_services(settings, clock)
    made.extensions = _models[0].extensions | {EXTENSION: services}
    made.wsgi_app = Front(Flask.wsgi_app.__get__(made), services)  # type: ignore[method-assign,assignment]
    return made


def remember_statements() -> None:
    """From here on a statement like one that was prepared before for the same engine is not compiled again."""
    compile_it = Prepared.__init__

    def prepare(
        self: Prepared, statement: ClauseElement, dialect: Dialect, columns: Sequence[str] | None = None
    ) -> None:
        key = _key(statement, dialect, columns)
        if key not in _texts:
            compile_it(self, statement, dialect, columns)
            _texts[key] = self
        vars(self).update(vars(_texts[key]))

    Prepared.__init__ = prepare  # type: ignore[method-assign]


def _key(statement: ClauseElement, dialect: Dialect, columns: Sequence[str] | None) -> Any:
    """All that a statement's text and its own values hang on: SQLAlchemy's key leaves out the values."""
    shape = statement._generate_cache_key()
    assert shape is not None, statement
    values = tuple((bound.required, bound.effective_value) for bound in shape.bindparams)
    return dialect.name, tuple(columns or ()), shape.key, values
