"""QR codes (ISO/IEC 18004), drawn here: no page and no answer loads anything from elsewhere."""

from __future__ import annotations

from io import StringIO
from urllib.parse import urlencode

import segno

_MOST = 1000
_LONGEST_ORIGIN = 300


def fits(server: str) -> bool:
    """Whether an origin is short enough for a picture of it: no host's name is longer than 253 signs."""
    return len(server) <= _LONGEST_ORIGIN


def enrolment(server: str, code: str) -> str:
    """What a terminal needs to enrol, as one address: ``roundsman:enrol?server=…&code=…``."""
    return f"roundsman:enrol?{urlencode({'server': server, 'code': code})}"


def of_code(server: str, code: str) -> dict[str, str]:
    """A one-time code as ``link`` into the app, ``uri`` and ``qr``, its picture."""
    uri = enrolment(server, code)
    return {"link": f"{server}/app/enrol?{urlencode({'code': code})}", "uri": uri, "qr": svg(uri)}


def svg(text: str) -> str:
    """A QR code as an ``<svg>`` element that fills its box, black on white. Raises ValueError for a text that is too long."""
    return str(_made(text).svg_inline(light="#fff", omitsize=True))


def in_terminal(text: str) -> str:
    """A QR code in signs, for a terminal's window."""
    drawn = StringIO()
    _made(text).terminal(out=drawn, compact=True)
    return drawn.getvalue()


def _made(text: str) -> segno.QRCode:
    if len(text) > _MOST:
        raise ValueError("too long for a QR code that a handheld can read")
    return segno.make(text, error="m", micro=False)
