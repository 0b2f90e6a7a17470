"""`make run`: a demo installation where there is none, then the server, and who to sign in as."""

from __future__ import annotations

import argparse
import os
import shutil
import socket
from datetime import UTC, datetime
from pathlib import Path

from backend.identity import facilities, terminals
from backend.kernel import certificates
from backend.kernel.clock import to_text
from backend.settings import Settings
from demo.facility import build
from demo.seed import SECRET, SEED, seed
from mobile_api import install
from mobile_api.services import EXTENSION, Services
from tools import serve, tls
from wsgi import create_app

ROOT = Path(__file__).resolve().parent.parent
_SHOWN = ("PAT", "LEAD", "ADM", "AUD")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make run")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tls", default="", help="the host name or address in a certificate of our own authority")
    asked = parser.parse_args()
    data = asked.data.resolve()
    os.environ.setdefault("ROUNDSMAN_DATA", str(data))
    os.environ.setdefault("ROUNDSMAN_TERMINAL_APP", str(ROOT / "terminal" / "dist"))
    os.environ.setdefault("ROUNDSMAN_HOME_FACILITY", build(SEED).id)
    settings = Settings.read()
    if settings.database.startswith("sqlite") and not (data / "roundsman.sqlite3").exists():
        _seed_beside(settings)
    certificate = _certificate(settings.data / "tls", asked.tls, asked.port) if asked.tls else None
    _greet(settings, asked.port, asked.tls)
    host = "0.0.0.0" if asked.tls else "127.0.0.1"  # noqa: S104 - asked for, with TLS
    _refuse_taken(host, asked.port)
    serve.serve(asked.port, host=host, tls=certificate)


def _seed_beside(settings: Settings) -> None:
    """Seeds in a folder beside the data and moves it there when it is whole."""
    draft = settings.data.with_name(f"{settings.data.name}.seeding")
    shutil.rmtree(draft, ignore_errors=True)
    print("writing a synthetic facility with a week of rounds (about 15 seconds) …", flush=True)
    environ = {"ROUNDSMAN_DATA": str(draft)}
    seeded = seed(Settings.read(environ), datetime.now(UTC))
    print(f"  {seeded.places} places, {seeded.persons} persons, {seeded.officers} officers, "
          f"{seeded.rounds} rounds with {seeded.visits} stops")  # fmt: skip
    settings.data.mkdir(parents=True, exist_ok=True)
    for made in sorted(draft.iterdir(), key=lambda path: path.suffix == ".sqlite3"):
        made.rename(settings.data / made.name)
    draft.rmdir()


def _certificate(folder: Path, host: str, port: int) -> tuple[Path, Path]:
    """The certificate for a host, which the server is told of, and beside it the sheet by which devices install it."""
    try:
        chain, key = tls.certificate(folder, host)
    except tls.BadHost as fault:
        raise SystemExit(f"TLS: {fault}") from None
    os.environ["ROUNDSMAN_CERTIFICATE"] = str(chain)
    page = install.sheet(_origin(host, port), certificates.read(chain.read_bytes()))
    _sheet(folder, host).write_text(page, encoding="utf-8")
    return chain, key


def _sheet(folder: Path, host: str) -> Path:
    return folder / f"{host}.install.html"


def _origin(host: str, port: int) -> str:
    if not host:
        return f"http://localhost:{port}"
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def _greet(settings: Settings, port: int, host: str) -> None:
    services: Services = create_app(settings).extensions[EXTENSION]
    origin = _origin(host, port)
    print(f"\nRoundsman 巡安    {origin}/app/    (is it up? {origin}/healthz)")
    if host:
        print(f"install sheet for devices: {origin}/install, to print: {_sheet(settings.data / 'tls', host)}")
    for facility in facilities.everyone(services.store):
        print(f"\n{facility.facility}  {facility.name}")
        if facility.facility == build(SEED).id:
            _show_demo_officers()
        code, until = terminals.make_code(services.door, facility.facility, "console")
        print(f"  enrolment code, good once until {to_text(until)}:  {code}")
    print("\nCtrl-C stops it.", flush=True)
    services.store.close()


def _show_demo_officers() -> None:
    demo = build(SEED)
    for post in _SHOWN:
        officer = next(each for each in demo.officers if post in each.posts)
        print(f"  {post:4}  number {officer.number}  secret {SECRET}")


def _refuse_taken(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise SystemExit(f"port {port} is taken; choose another with make run PORT=…") from None


if __name__ == "__main__":
    main()
