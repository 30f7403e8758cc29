"""``/api/admin``: finds the endpoint, lets the visitor in, answers in JSON, and keeps the audit (operations §5)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.errors import MethodNotAllowed
from kiro_rs_py.serve.admin.audit import Audit
from kiro_rs_py.serve.admin.door import Door, Visitor
from kiro_rs_py.serve.admin.refusals import BUG, Refusal, refusal_of
from kiro_rs_py.serve.app import Call, Route, sole_error
from kiro_rs_py.serve.inbound import ClientLeft
from kiro_rs_py.serve.reply import Header

logger = logging.getLogger(__name__)

BASE = "/api/admin"
VERSIONED = f"{BASE}/v1"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

API_HEADERS: tuple[Header, ...] = (
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as an endpoint sees it: ``id`` is the account's in the path, ``name`` another object's."""

    call: Call
    visitor: Visitor
    id: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """``body`` None: an answer without one. ``outcome`` is the audit's word for it."""

    status: int
    body: JsonObject | None = None
    headers: tuple[Header, ...] = ()
    outcome: str = "done"


Handler: TypeAlias = Callable[[Asked], Awaitable[Answer | None]]
"""Answers, or has answered already (None)."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``path`` is below the base; ``{id}`` in it stands for an account's number, ``{name}`` for anything else.

    ``action`` names a write in the audit; endpoints with one need the CSRF token. ``is_open``: the visitor need not
    have shown a key yet.
    """

    method: str
    path: str
    handler: Handler
    action: str | None = None
    is_open: bool = False

    def match(self, segments: list[str]) -> Mapping[str, str] | None:
        """What stands for the names in the path, None if the path is another."""
        parts = self.path.split("/")
        if len(parts) != len(segments):
            return None
        found: dict[str, str] = {}
        for part, segment in zip(parts, segments, strict=True):
            if part.startswith("{"):
                found[part.strip("{}")] = segment
            elif part != segment:
                return None
        return found


class Api:
    """The dispatcher."""

    def __init__(self, endpoints: Iterable[Endpoint], door: Door, audit: Audit) -> None:
        self._endpoints = tuple(endpoints)
        self._door = door
        self._audit = audit

    def routes(self) -> list[Route]:
        """Both bases. Keys and preflights are seen to here, not by the app: no page of another site may ask."""
        handlers = dict.fromkeys(METHODS, self.answer)
        return [Route(base, handlers, keyed=False, prefix=True) for base in (BASE, VERSIONED)]

    async def answer(self, call: Call) -> None:
        try:
            answer = await self._dispatch(call)
        except ClientLeft:
            raise
        except Exception as exc:
            await send_refusal(call, refusal_for(call, exc, logger))
            return
        if answer is None:
            return
        headers = (*answer.headers, *API_HEADERS)
        if answer.body is None:
            await call.reply.empty(answer.status, headers)
        else:
            await call.reply.json(answer.status, answer.body, headers)

    async def _dispatch(self, call: Call) -> Answer | None:
        endpoint, found = self._find(call)
        call.record.route = f"{BASE}/{endpoint.path}"
        is_write = endpoint.action is not None
        with self._audit.watch(call, endpoint.action or "access", is_write=is_write) as deed:
            visitor = self._admit(call, endpoint)
            deed.who = visitor.who
            deed.credential_id = _account_number(found.get("id"))
            answer = await endpoint.handler(Asked(call, visitor, deed.credential_id or 0, found.get("name", "")))
            if answer is not None:
                deed.outcome = answer.outcome
            return answer

    def _find(self, call: Call) -> tuple[Endpoint, Mapping[str, str]]:
        segments = call.rest.split("/")
        method = "GET" if call.method == "HEAD" else call.method
        allowed: list[str] = []
        for endpoint in self._endpoints:
            found = endpoint.match(segments)
            if found is not None and endpoint.method == method:
                return endpoint, found
            if found is not None:
                allowed.append(endpoint.method)
        self._door.check_place(call)
        if allowed:
            raise MethodNotAllowed(call.method, sorted(set(allowed)))
        raise Refusal(404, "not_found", "unknown_route", "Unknown route.")

    def _admit(self, call: Call, endpoint: Endpoint) -> Visitor:
        if endpoint.is_open:
            self._door.check_place(call)
            return Visitor()
        visitor = self._door.admit(call)
        if endpoint.action is not None:
            self._door.check_csrf(call, visitor)
        return visitor


def refusal_for(call: Call, exc: Exception, log: logging.Logger) -> Refusal:
    """What is answered to a request that ``exc`` has ended. Raises the error itself if the answer has begun."""
    error = sole_error(exc)
    if call.reply.started:
        raise error from None
    refusal = refusal_of(error)
    if refusal is None:
        log.error("a bug answered %s", call.record.route, exc_info=error)
        refusal = BUG
    call.record.outcome = refusal.code
    return refusal


async def send_refusal(call: Call, refusal: Refusal) -> None:
    await call.reply.json(refusal.status, refusal.envelope(call.request_id), (*refusal.headers, *API_HEADERS))


def _account_number(text: str | None) -> int | None:
    """The number of an account in a path; those from the environment have negative ones."""
    if text is None:
        return None
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
        raise Refusal(404, "not_found", "credential_not_found", "Credential not found: an id is a whole number.")
    return int(text)
