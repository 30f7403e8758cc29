"""The few lines of ASGI the simulator needs: a request read whole, and an answer."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import cast
from urllib.parse import parse_qsl

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope

from kiro_rs_py.convert.anthropic import Json, JsonObject

Headers = tuple[tuple[str, str], ...]


class Request:
    """One request as it came in.

    ``headers`` keeps the wire order, names in lower case. ``operation`` is the canonical path: the same for
    ``POST /ListAvailableProfiles`` and for ``POST /`` with the target ``…ListAvailableProfiles``.
    """

    def __init__(self, method: str, path: str, query: Mapping[str, str], headers: Headers, body: bytes) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.operation = path

    def header(self, name: str) -> str | None:
        """The first header of that (lower-case) name."""
        return next((value for key, value in self.headers if key == name), None)

    @cached_property
    def json(self) -> Json:
        """The body as JSON; None when it is no JSON."""
        try:
            return cast("Json", json.loads(self.body))
        except ValueError:
            return None

    @property
    def json_object(self) -> JsonObject:
        """The body as a JSON object; empty when it is anything else."""
        return self.json if isinstance(self.json, dict) else {}

    @property
    def form(self) -> Mapping[str, str]:
        """The body as an HTML form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace")))

    def __repr__(self) -> str:
        return f"Request({self.method} {self.path}, {len(self.body)} bytes)"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; ``content-length`` is added when it is sent."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Headers = ()


def json_answer(value: Json, status: int = 200, headers: Headers = ()) -> Answer:
    """Compact JSON, non-ASCII as it is."""
    return Answer(status, compact(value).encode(), headers=headers)


def answer_with(status: int, body: Json | bytes, headers: Mapping[str, str]) -> Answer:
    """``body`` as it is if bytes, as text if a string, as JSON otherwise; nothing at all if None."""
    named = {name.lower(): value for name, value in headers.items()}
    if isinstance(body, bytes):
        content, default = body, "application/octet-stream"
    elif isinstance(body, str):
        content, default = body.encode(), "text/plain"
    else:
        content, default = b"" if body is None else compact(body).encode(), "application/json"
    content_type = named.pop("content-type", default)
    return Answer(status, content, content_type, tuple(named.items()))


def page(title: str, body_html: str, status: int = 200) -> Answer:
    """A tiny HTML page; ``body_html`` is already escaped."""
    text = f"<!doctype html><meta charset=utf-8><title>{html.escape(title)}</title><h1>{html.escape(title)}</h1>"
    return Answer(status, (text + body_html).encode(), "text/html; charset=utf-8")


def redirect(location: str) -> Answer:
    return Answer(302, b"", "text/plain", (("location", location),))


def compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


async def read_request(scope: HTTPScope, receive: ASGIReceiveCallable) -> Request | None:
    """Reads to the end of the body; None when the client went away before that."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message["body"])
        if not message["more_body"]:
            break
    headers = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"])
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    return Request(scope["method"], scope["path"], query, headers, b"".join(parts))


async def send_answer(answer: Answer, send: ASGISendCallable) -> None:
    headers = [
        ("content-type", answer.content_type),
        ("content-length", str(len(answer.body))),
        *answer.headers,
    ]
    await send_start(answer.status, headers, send)
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


async def send_start(status: int, headers: list[tuple[str, str]], send: ASGISendCallable) -> None:
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": encoded, "trailers": False})
