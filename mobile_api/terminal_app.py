"""The built terminal app under ``/app/``, from this host and no other."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, redirect, send_from_directory
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
"""Vant sets styles on elements, hence 'unsafe-inline' for styles alone."""


def make_blueprint(folder: Path) -> Blueprint:
    """Serves the folder of the built app; unknown paths below ``/app/`` are pages of the app itself."""
    blueprint = Blueprint("terminal_app", __name__)
    root = folder.resolve()

    @blueprint.get("/")
    def front() -> BaseResponse:
        return redirect("/app/")

    @blueprint.get("/app/")
    @blueprint.get("/app/<path:name>")
    def app(name: str = "index.html") -> Response:
        try:
            response = send_from_directory(root, name, max_age=0)
        except NotFound:
            if "." in name.rsplit("/", 1)[-1]:
                raise
            name = "index.html"
            response = send_from_directory(root, name, max_age=0)
        hashed = name.startswith("assets/")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if hashed else "no-cache"
        response.headers["Content-Security-Policy"] = _POLICY
        return response

    return blueprint
