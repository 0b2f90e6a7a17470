"""The install sheet: how a handheld or a desktop comes to trust this server; to be read on a screen or printed on A4.

Who opens it has no reason to trust it yet. What makes it safe is the printed fingerprint, compared by a person.
"""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

from flask import Response, request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from backend.kernel import certificates
from backend.kernel.certificates import Certificate, Unreadable
from backend.kernel.clock import to_text
from backend.kernel.ids import sha256
from backend.kernel.problems import Problem
from backend.settings import Settings
from mobile_api import pictures
from mobile_api.blueprint import Blueprint
from mobile_api.guard import open_to_all
from mobile_api.services import services

AUTHORITY_NAME = "roundsman-authority.crt"
AUTHORITY_TYPE = "application/x-x509-ca-cert"
_PAGES = Path(__file__).parent / "pages"
_STYLE = (_PAGES / "install.css").read_text(encoding="utf-8")
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode())).decode()}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_pages = Environment(loader=FileSystemLoader(_PAGES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
blueprint = Blueprint("install", __name__, url_prefix="/install", description="How a device comes to trust the server")


def sheet(origin: str, certificate: Certificate | None) -> str:
    """The page for a server at ``origin`` (``https://host:port``); without an authority there is none to install."""
    authority = certificate.authority if certificate is not None else None
    here = {"authority": f"{origin}/install/authority.pem", "app": f"{origin}/app/"}
    return _pages.get_template("install.html").render(
        style=Markup(_STYLE),  # noqa: S704 - our own file; nothing of a request is in it
        origin=origin,
        authority=authority,
        authority_address=here["authority"],
        app_address=here["app"],
        authority_code=_code(here["authority"]),
        app_code=_code(here["app"]),
        not_after=_day(certificate.not_after) if certificate is not None else "",
        authority_until=_day(authority.not_after) if authority is not None else "",
    )


def _code(text: str) -> Markup:
    return Markup(pictures.svg(text))  # noqa: S704 - paths and numbers alone


def _day(moment: int) -> str:
    return to_text(moment)[:10]


def certificate_of(settings: Settings) -> Certificate | None:
    """The certificate that this server shows; None where it was told of none. Raises Unreadable."""
    if settings.certificate is None:
        return None
    try:
        return certificates.read(settings.certificate.read_bytes())
    except OSError:
        raise Unreadable("there is no such file") from None


def _certificate() -> Certificate | None:
    """The same for the pages; that one cannot be read is for ``/healthz`` to say."""
    try:
        return certificate_of(services().settings)
    except Unreadable:
        return None


def origin() -> str:
    """``https://host:port`` of this server as it was set, or else as the caller has addressed it.

    Raises Problem ``request.malformed`` for what is longer than any host's name, and no picture could hold.
    """
    found = services().settings.public_origin or request.host_url.rstrip("/")
    if not pictures.fits(found):
        raise Problem("request.malformed")
    return found


@blueprint.get("")
@open_to_all
@blueprint.problems(400)
@blueprint.response(200, {"type": "string"}, content_type="text/html")
def install() -> Response:
    """The install sheet."""
    page = sheet(origin(), _certificate())
    return Response(page, content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": _POLICY})


@blueprint.get("/authority.pem")
@open_to_all
@blueprint.problems(404)
@blueprint.response(200, {"type": "string"}, content_type=AUTHORITY_TYPE)
def authority() -> Response:
    """The authority's certificate, to be installed on a device. Compare its fingerprint with the printed sheet."""
    found = _certificate()
    if found is None or found.authority is None:
        raise Problem("route.unknown")
    headers = {"Content-Disposition": f'attachment; filename="{AUTHORITY_NAME}"'}
    return Response(found.authority.pem, content_type=AUTHORITY_TYPE, headers=headers)
