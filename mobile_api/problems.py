"""Every error as ``application/problem+json`` from the closed set of ``backend.kernel.problems`` (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import orjson
import structlog
from flask import Flask, Response, request
from flask_smorest import Api
from marshmallow import Schema, fields
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from backend.kernel.problems import CATALOGUE, MOST_FIELDS, Problem, field_problems

PROBLEM = "application/problem+json"
_log = structlog.get_logger(__name__)
_CODES = {
    400: "request.malformed",
    404: "route.unknown",
    405: "method.not_allowed",
    413: "body.too_large",
    415: "type.unsupported",
    422: "request.invalid",
    503: "server.busy",
}


class FieldProblem(Schema):
    """One field that is wrong."""

    code = fields.String(required=True, metadata={"enum": list(CATALOGUE)})
    field = fields.String()
    zh = fields.String(required=True)
    en = fields.String(required=True)
    detail = fields.Dict()


class ProblemDocument(FieldProblem):
    """RFC 9457, with a sentence in both languages; ``code`` is of a closed set."""

    type = fields.String(required=True)
    status = fields.Integer(required=True)
    title = fields.String(required=True)
    errors = fields.List(fields.Nested(FieldProblem))


def answer(problem: Problem) -> Response:
    """A problem as a response, with ``Retry-After`` where it says when to come again."""
    body = orjson.dumps(problem.document())
    response = Response(body, problem.entry.status, mimetype=PROBLEM)
    if "retry_after" in problem.detail:
        response.headers["Retry-After"] = str(problem.detail["retry_after"])
    if problem.entry.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'DPoP algs="ES256"'
    return response


def _of_http(error: HTTPException) -> Problem:
    code = _CODES.get(error.code or 500)
    if code is None:
        return Problem("server.fault" if (error.code or 500) >= 500 else "request.malformed")
    messages: Any = (getattr(error, "data", None) or {}).get("messages")
    if code != "request.invalid" or not isinstance(messages, dict):
        return Problem(code)
    found = [problem for inner in messages.values() for problem in field_problems(inner)][:MOST_FIELDS]
    return Problem(code, found[0].field if found else None, errors=tuple(found))


class ProblemApi(Api):
    """flask-smorest's Api with our errors in place of its own."""

    ERROR_SCHEMA = ProblemDocument
    DEFAULT_ERROR_RESPONSE_NAME = None

    def handle_http_exception(self, error: HTTPException) -> Any:
        if error.code is not None and error.code < 400:
            return error.get_response()
        response = answer(_of_http(error))
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return response

    def _register_responses(self) -> None:
        """One response a status of the catalogue; ``mobile_api.blueprint`` says which route may give which."""
        for status in sorted({entry.status for entry in CATALOGUE.values()}):
            response: dict[str, Any] = {
                "description": "A problem (docs/errors.md)",
                "content": {PROBLEM: {"schema": ProblemDocument}},
            }
            if any("retry_after" in entry.detail for entry in CATALOGUE.values() if entry.status == status):
                seconds = {"description": "Seconds to wait", "required": True, "schema": {"type": "integer"}}
                response["headers"] = {"Retry-After": seconds}
            self.spec.components.response(f"Problem{status}", response, lazy=True)


def register(app: Flask) -> None:
    """Problems that are raised become answers; so does a fault, whose trace goes to the log alone."""
    app.register_error_handler(Problem, answer)

    @app.errorhandler(Exception)
    def fault(_error: Exception) -> Response:
        _log.exception("fault", path=request.path, method=request.method)
        return answer(Problem("server.fault"))
