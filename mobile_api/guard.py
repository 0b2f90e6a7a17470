"""Who is asking. A route says what it wants by one decorator, which also says so in the OpenAPI document.

``open_to_all``: nobody is asked. ``by_key``: a terminal's key. ``signed_in(posts…)``: an officer in one of the posts,
on his terminal. ``by_push_proof``: the push, whose body proves itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from flask import Flask, Response, g, request

from backend.domain.posts import Post
from backend.identity.proofs import Asked, check_dpop
from backend.identity.sessions import Session
from backend.kernel.problems import Problem
from mobile_api.services import Services, services

View = TypeVar("View", bound=Callable[..., Any])
_SCHEME = "DPoP "
OPEN, KEY, SESSION, PUSH = "open", "key", "session", "push"

SECURITY_SCHEMES = {
    KEY: {"type": "apiKey", "in": "header", "name": "DPoP", "description": "RFC 9449 proof of the terminal's key"},
    SESSION: {"type": "http", "scheme": "DPoP", "description": "RFC 9449 access token, with the header DPoP"},
    PUSH: {"type": "apiKey", "in": "header", "name": "Roundsman-Proof", "description": "docs/protocol.md, section 6"},
}


def _marked(view: View, guard: str, posts: frozenset[Post]) -> View:
    """Puts the guard on the view, for the document and for the test that asks every route as every post."""
    security: list[dict[str, list[str]]] = [
        {name: []} for name in {OPEN: (), SESSION: (SESSION, KEY)}.get(guard, (guard,))
    ]
    required: list[dict[str, list[str]]] = [{key: [] for each in security for key in each}] if security else []
    view._apidoc = {**getattr(view, "_apidoc", {})}  # type: ignore[attr-defined]
    view._apidoc["guard"] = guard  # type: ignore[attr-defined]
    view._apidoc["manual_doc"] = {**view._apidoc.get("manual_doc", {}), "security": required}  # type: ignore[attr-defined]
    view.guard, view.posts = guard, posts  # type: ignore[attr-defined]
    return view


def open_to_all(view: View) -> View:
    """Anybody may call this."""
    return _marked(view, OPEN, frozenset())


def by_push_proof(view: View) -> View:
    """The body carries its own proof, which the view checks."""
    return _marked(view, PUSH, frozenset())


def by_key(view: View) -> View:
    """The caller proves a key; the view finds its thumbprint and JWK in ``proven_key()``."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        here = services()
        g.offers_nonce = True
        asked, proof = Asked(request.method, request.base_url), request.headers.get("DPoP")
        g.key = check_dpop(proof, asked, here.nonces, here.settings.public_origin)
        return view(*args, **kwargs)

    return _marked(cast(View, guarded), KEY, frozenset())


def signed_in(*posts: Post) -> Callable[[View], View]:
    """The caller is an officer in one of the posts (any, if none is named); the view finds him in ``session()``."""
    wanted = frozenset(posts)

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            g.offers_nonce = True
            headers = request.headers
            found = find_session(
                services(), request.method, request.base_url, headers.get("DPoP"), headers.get("Authorization")
            )
            g.session = found
            if wanted and not wanted & set(found.officer.posts):
                raise Problem("role.forbidden")
            return view(*args, **kwargs)

        return _marked(cast(View, guarded), SESSION, wanted)

    return decorate


def find_session(here: Services, method: str, uri: str, proof: str | None, authorization: str | None) -> Session:
    """The session that a request's headers ``DPoP`` and ``Authorization`` prove. Raises Problem as they are wrong."""
    token = authorization[len(_SCHEME) :] if authorization and authorization.startswith(_SCHEME) else None
    key, _ = check_dpop(proof, Asked(method, uri, token), here.nonces, here.settings.public_origin)
    if token is None:
        raise Problem("session.missing")
    now = here.clock.now()
    return here.sessions.present(here.tokens.read(token, now), key, now)


def session() -> Session:
    """The caller's session, in a view that is ``signed_in``."""
    return cast(Session, g.session)


def proven_key() -> tuple[str, dict[str, str]]:
    """Thumbprint and JWK of the caller's key, in a view that is ``by_key``."""
    return cast("tuple[str, dict[str, str]]", g.key)


SAFE_HEADERS = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
)


def made_safe(response: Response) -> Response:
    """No answer is kept by a cache, taken for another type, or named to another site."""
    for name, value in SAFE_HEADERS:
        response.headers.setdefault(name, value)
    return response


def register(app: Flask) -> None:
    """Answers to proofs offer the next nonce; every answer is made safe."""

    @app.after_request
    def finish(response: Response) -> Response:
        if g.get("offers_nonce"):
            response.headers["DPoP-Nonce"] = services().nonces.fresh()
        return made_safe(response)
