"""The blueprint of every route: JSON bodies are read strictly, and the document names every problem that may come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import flask_smorest
from flask import Request
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import UnsupportedMediaType

from backend.kernel.problems import Problem
from backend.kernel.strict_json import Unreadable, read_object
from mobile_api.guard import KEY, OPEN, PUSH, SESSION
from mobile_api.services import services

JSON = "application/json"
View = TypeVar("View", bound=Callable[..., Any])

_OF_GUARD = {
    OPEN: {503},
    KEY: {401, 403, 409, 429, 503},
    SESSION: {401, 403, 409, 429, 503},
    PUSH: {400, 401, 403, 409, 413, 415, 503},
}
_OF_BODY, _OF_QUERY = {400, 413, 415, 422}, {422}


class StrictParser(FlaskParser):
    """Reads a body as strictly as an operation: no key twice, no NUL, no lone surrogate ever gets further. Where nothing is
    required there may be none.
    """

    def load_json(self, req: Request, schema: Any) -> Any:  # noqa: ARG002 - the parser's form
        if not req.mimetype and not req.content_length and not any(each.required for each in schema.fields.values()):
            return {}
        if req.mimetype != JSON:
            raise UnsupportedMediaType
        try:
            return read_object(services().intake.read(req))
        except Unreadable:
            raise Problem("request.malformed") from None


class Blueprint(flask_smorest.Blueprint):
    """flask-smorest's, with our parser and our problems."""

    ARGUMENTS_PARSER = StrictParser(unknown=None)
    """What a schema does not name is refused, in a query as in a body."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks.append(_document_problems)

    @staticmethod
    def problems(*statuses: int) -> Callable[[View], View]:
        """Problems that this route may answer besides those of its guard and its body."""

        def decorate(view: View) -> View:
            view._apidoc = {**getattr(view, "_apidoc", {}), "problems": set(statuses)}  # type: ignore[attr-defined]
            return view

        return decorate


def _document_problems(doc: dict[str, Any], info: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Adds the responses ``Problem<status>`` (``mobile_api.problems``) to what a route's document says."""
    asked = info.get("arguments", {})
    statuses = _OF_GUARD[info["guard"]] | info.get("problems", set())
    statuses = statuses | (_OF_BODY if "requestBody" in asked else _OF_QUERY if asked else set())
    told = {str(status): response for status, response in doc.get("responses", {}).items()}
    return {**doc, "responses": told | {str(status): f"Problem{status}" for status in sorted(statuses)}}
