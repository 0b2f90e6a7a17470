"""Settings that cannot be meant keep the server from starting, and say which one it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.settings import BadSetting, Settings


def test_without_any_setting_there_is_an_embedded_store_in_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    read = Settings.read({})
    data = tmp_path / "data"
    assert read == Settings(data, f"sqlite:///{data}/roundsman.sqlite3", None, 12, None, "INFO")


def test_every_setting_is_read() -> None:
    read = Settings.read({
        "ROUNDSMAN_DATA": "/srv/r",
        "ROUNDSMAN_DATABASE": "postgresql+psycopg://u@h/d",
        "ROUNDSMAN_PUBLIC_ORIGIN": "https://h:8443",
        "ROUNDSMAN_SESSION_HOURS": "8",
        "ROUNDSMAN_TERMINAL_APP": "/srv/app",
        "ROUNDSMAN_LOG_LEVEL": "warning",
        "ROUNDSMAN_HOME_FACILITY": "HOME-1",
        "ROUNDSMAN_CERTIFICATE": "/srv/tls/h.pem",
        "ROUNDSMAN_TICK_SECONDS": "60",
    })  # fmt: skip
    assert read == Settings(
        Path("/srv/r"), "postgresql+psycopg://u@h/d", "https://h:8443", 8, Path("/srv/app"), "WARNING",
        home_facility="HOME-1", certificate=Path("/srv/tls/h.pem"), tick_seconds=60,
    )  # fmt: skip


def test_an_empty_setting_is_none() -> None:
    names = ("DATABASE", "PUBLIC_ORIGIN", "TERMINAL_APP", "HOME_FACILITY", "CERTIFICATE")
    read = Settings.read({f"ROUNDSMAN_{name}": "" for name in names})
    assert (read.home_facility, read.certificate) == (None, None)
    assert read.database.startswith("sqlite:///") and read.public_origin is None and read.terminal_app is None


@pytest.mark.parametrize("name, value", [
    ("DATABASE", "mysql://h/d"),
    ("DATABASE", "postgresql://h/d"),
    ("DATABASE", "sqlite://"),
    ("DATABASE", "/srv/r.sqlite3"),
    ("PUBLIC_ORIGIN", "h:8443"),
    ("PUBLIC_ORIGIN", "ftp://h"),
    ("PUBLIC_ORIGIN", "https://h/"),
    ("PUBLIC_ORIGIN", "https://h/app"),
    ("PUBLIC_ORIGIN", "https://"),
    ("HOME_FACILITY", "home"),
    ("HOME_FACILITY", "HOME-1\n"),
    ("HOME_FACILITY", "../X"),
    ("SESSION_HOURS", "0"),
    ("SESSION_HOURS", "25"),
    ("SESSION_HOURS", "-1"),
    ("SESSION_HOURS", "1.5"),
    ("SESSION_HOURS", "twelve"),
    ("SESSION_HOURS", ""),
    ("SESSION_HOURS", "²"),
    ("TOKEN_MINUTES", "0"),
    ("TOKEN_MINUTES", "1441"),
    ("SIGN_INS", "-1"),
    ("ENROLMENTS", "many"),
    ("REQUESTS", "1000001"),
    ("UNLOCK_HOURS", "0"),
    ("UNLOCK_TRIES", "11"),
    ("UNLOCK_IDLE_MINUTES", "0"),
    ("LOG_LEVEL", "LOUD"),
    ("LOG_LEVEL", ""),
])  # fmt: skip
def test_a_setting_that_cannot_be_meant_is_named(name: str, value: str) -> None:
    with pytest.raises(BadSetting) as fault:
        Settings.read({f"ROUNDSMAN_{name}": value})
    assert str(fault.value).startswith(f"ROUNDSMAN_{name}: ")
    assert isinstance(fault.value, SystemExit)


def test_settings_do_not_change() -> None:
    with pytest.raises(AttributeError):
        Settings.read({}).session_hours = 1  # type: ignore[misc]
