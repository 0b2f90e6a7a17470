"""Who is asking. A route says what it wants by one decorator, which also says so in the OpenAPI document.

``open_to_all``: nobody is asked. ``by_key``: a terminal's key. ``signed_in(posts…)``: an officer in one of the posts,
on his terminal. ``by_push_proof``: the push, whose body proves itself. ``once=True``: the proof is good for one request.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from flask import Flask, Response, g, request

from backend.domain.posts import Post
from backend.identity import rates, replays, terminals
from backend.identity.proofs import Asked, Proven, check_dpop
from backend.identity.rates import Limit, Subject
from backend.identity.sessions import Session
from backend.kernel.problems import Problem
from backend.storage.scratch import scratch
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
    return _by_key(view, None)


def by_key_once(view: View) -> View:
    """The same, of an enrolled terminal, whose proofs for such requests are good once and counted."""
    return _by_key(view, _of_a_terminal)


def by_new_key_once(view: View) -> View:
    """The same, of a key that may be anybody's; such requests are counted by address and in all."""
    return _by_key(view, _of_anybody)


def _by_key(view: View, then: Callable[[Proven], None] | None) -> View:
    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        here = services()
        g.offers_nonce = True
        asked, shown = Asked(request.method, request.base_url), request.headers.get("DPoP")
        proof = check_dpop(shown, asked, here.nonces, here.settings.public_origin)
        if then is not None:
            then(proof)
        g.key = proof.key, proof.jwk
        return view(*args, **kwargs)

    return _marked(cast(View, guarded), KEY, frozenset())


def _of_a_terminal(proof: Proven) -> None:
    """Before anything is written for a key it is known whose it is: strangers cost a read."""
    here = services()
    terminal = terminals.by_thumbprint(here.store, proof.key)
    _count({Subject(terminal.facility, f"asks/{terminal.terminal}"): here.settings.sign_ins})
    replays.spend(here.store, proof, here.clock.now())


def _of_anybody(proof: Proven) -> None:
    here = services()
    most = here.settings.enrolments
    _count({Subject("", f"enrols/{request.remote_addr}"): most, Subject("", "enrols"): 4 * most})
    replays.spend(here.store, proof, here.clock.now())


def _count(subjects: dict[Subject, int]) -> None:
    """Counts a request in each minute of its subjects. Raises Problem ``rate.limited``."""
    here = services()
    if any(subjects.values()):
        with scratch(here.store) as connection:
            for subject, most in subjects.items():
                rates.take(connection, subject, Limit(most), here.clock.now())


def signed_in(*posts: Post, once: bool = False, temporary: bool = False) -> Callable[[View], View]:
    """The caller is an officer in one of the posts (any, if none is named); the view finds him in ``session()``.

    ``once``: the proof is good for this one request. ``temporary``: he may be here before he has changed his secret.
    """
    wanted = frozenset(posts)

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            g.offers_nonce = True
            here = services()
            headers = request.headers
            shown = headers.get("DPoP"), headers.get("Authorization")
            found, proof = _found(here, request.method, request.base_url, *shown)
            if found.must_change and not temporary:
                raise Problem("secret.temporary")
            if wanted and not wanted & set(found.officer.posts):
                raise Problem("role.forbidden")
            here.throttle.take(found.session, here.clock.now())
            if once:
                replays.spend(here.store, proof, here.clock.now())
            g.session = found
            return view(*args, **kwargs)

        return _marked(cast(View, guarded), SESSION, wanted)

    return decorate


def find_session(here: Services, method: str, uri: str, proof: str | None, authorization: str | None) -> Session:
    """The session that a request's headers ``DPoP`` and ``Authorization`` prove, of an officer who may work.

    Raises Problem as they are wrong.
    """
    found, _ = _found(here, method, uri, proof, authorization)
    if found.must_change:
        raise Problem("secret.temporary")
    return found


def _found(
    here: Services, method: str, uri: str, shown: str | None, authorization: str | None
) -> tuple[Session, Proven]:
    token = authorization[len(_SCHEME) :] if authorization and authorization.startswith(_SCHEME) else None
    proof = check_dpop(shown, Asked(method, uri, token), here.nonces, here.settings.public_origin)
    if token is None:
        raise Problem("session.missing")
    now = here.clock.now()
    found = here.sessions.present(here.tokens.read(token, now), proof.key, now)
    here.contacts.note(found.officer.facility, found.officer.officer, now)
    return found, proof


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
