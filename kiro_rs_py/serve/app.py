"""The ASGI application: routes, keys, CORS, request ids, and the one place where errors become answers."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl

from kiro_rs_py.config import Config
from kiro_rs_py.config.access_keys import digest_of
from kiro_rs_py.errors import BadKey, BodyTimeout, MethodNotAllowed, NotFound
from kiro_rs_py.serve.client_keys import ClientKey, KeyRing
from kiro_rs_py.serve.errors import answer_of
from kiro_rs_py.serve.ids import new_request_id
from kiro_rs_py.serve.inbound import ClientLeft, Inbound, Receive
from kiro_rs_py.serve.reply import Header, Reply, Send
from kiro_rs_py.serve.request_log import RequestRecord, current_request_id

logger = logging.getLogger(__name__)

_CLOSE: Header = (b"connection", b"close")
_EXPOSED = b"request-id, retry-after, x-should-retry"
_PREFLIGHT_SECONDS = b"600"


class Call:
    """One request as a handler sees it. ``rest`` is the path behind a prefix route's own, without slashes around."""

    def __init__(self, scope: Mapping[str, Any], receive: Receive, send: Send, common: Iterable[Header] = ()) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.rest = ""
        self.headers: tuple[Header, ...] = tuple(scope["headers"])
        self.client: str = (scope.get("client") or ("",))[0]
        self.request_id = new_request_id()
        self.client_key: ClientKey | None = None  # None also for the configured key, which has no limits
        self.record = RequestRecord(self.method)
        length = self.header(b"content-length")
        self.inbound = Inbound(
            receive,
            length=int(length) if length and length.isdigit() else None,
            chunked=self.header(b"transfer-encoding") is not None,
            encoding=self.header(b"content-encoding") or "",
        )
        self.reply = Reply(send, self.inbound, self.request_id, common)
        self._query: bytes = scope["query_string"]

    def header(self, name: bytes) -> str | None:
        """The first header of that lower-case name."""
        return next((value.decode("latin-1") for key, value in self.headers if key == name), None)

    @property
    def query(self) -> dict[str, str]:
        """The query's names and last values."""
        return dict(parse_qsl(self._query.decode("latin-1"), keep_blank_values=True))


Handler = Callable[[Call], Awaitable[None]]
Observer = Callable[[Call], None]


@dataclass(frozen=True, slots=True)
class Route:
    """What answers ``path``: a handler for each method; HEAD is answered by GET's unless it has its own.

    ``prefix``: everything below the path too. Without ``keyed`` no key is asked for: the handler sees to itself.
    ``log_level``: for the request's line; probes would fill the log.
    """

    path: str
    handlers: Mapping[str, Handler]
    keyed: bool = True
    prefix: bool = False
    log_level: int = logging.INFO

    def handler(self, method: str) -> Handler:
        handler = self.handlers.get(method) or (self.handlers.get("GET") if method == "HEAD" else None)
        if handler is None:
            raise MethodNotAllowed(method if method in _METHODS else "This method", sorted(self.handlers))
        return handler


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")


class App:
    """Finds the route, checks the key, runs the handler, answers its errors, logs the request's line.

    ``observers`` are called with every request that has ended, whatever came of it; they must not raise. The keys of
    ``ring`` open what the configured key opens. ``unknown`` is what is said of other paths, if not the usual hints.
    """

    def __init__(
        self,
        routes: Iterable[Route],
        config: Config,
        observers: Iterable[Observer] = (),
        ring: KeyRing | None = None,
        unknown: str = "",
    ) -> None:
        self._unknown = unknown
        self._routes = {route.path: route for route in routes}
        self._observers = tuple(observers)
        self._ring = KeyRing() if ring is None else ring
        self.configure(config)

    def mount(self, routes: Iterable[Route], observer: Observer) -> None:
        """Add a part that is made only when the rest is."""
        self._routes |= {route.path: route for route in routes}
        self._observers = (*self._observers, observer)

    def configure(self, config: Config) -> None:
        """Take over what may change while the proxy runs: the key and the allowed origins."""
        self._digest = digest_of(config.api_key)
        self._origins = frozenset(origin.rstrip("/").encode() for origin in config.cors_origins)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"this is no place for {scope['type']}")
        call = Call(scope, receive, send, self._cors_headers(scope["headers"]))
        current_request_id.set(call.request_id)
        try:
            await self._dispatch(call)
        except ClientLeft:
            call.record.outcome = "client left"
        except Exception as exc:
            await self._answer_error(call, sole_error(exc))
        except BaseException:
            call.record.outcome = "cut short"  # the proxy is stopping
            raise
        finally:
            call.record.uploading = call.inbound.seconds
            call.record.end(call.reply.status)
            for observe in self._observers:
                observe(call)

    async def _dispatch(self, call: Call) -> None:
        route = self._find(call)
        call.record.route = route.path
        call.record.level = route.log_level
        if call.method == "OPTIONS" and "OPTIONS" not in route.handlers:
            await self._answer_options(call, route)
            return
        if route.keyed:
            self._check_key(call)
        await route.handler(call.method)(call)

    def _find(self, call: Call) -> Route:
        """The route of the path; a slash at the end is forgiven."""
        path = call.path.rstrip("/") or "/"
        route = self._routes.get(path)
        if route is not None:
            return route
        # Route by route, not segment by segment: a path may have thousands of those, before anybody showed a key.
        above = [route for route in self._routes.values() if route.prefix and path.startswith(f"{route.path}/")]
        if above:
            route = max(above, key=lambda found: len(found.path))
            call.rest = call.path[len(route.path) :].strip("/")
            return route
        if self._unknown:
            raise NotFound(self._unknown)
        if call.path.startswith("/v1/v1/"):
            raise NotFound("Unknown route. The base URL must not end in /v1: the client adds it.")
        if path.removeprefix("/cc") in ("/messages", "/messages/count_tokens", "/models"):
            # Clients made with Vercel's AI SDK, Cline and opencode among them.
            raise NotFound("Unknown route. The base URL must end in /v1: the client does not add it.")
        raise NotFound("Unknown route. Messages are at /v1/messages; the base URL is this server without a path.")

    def _check_key(self, call: Call) -> None:
        """One valid key among those presented is enough: some clients send two (clients §1.1)."""
        digests = [sha256(key).digest() for key in presented_keys(call.headers)]
        configured = False
        for digest in digests:
            configured |= hmac.compare_digest(digest, self._digest)
        if configured:
            call.record.key = "config"
            return
        call.client_key = next(filter(None, map(self._ring.admit, digests)), None)
        if call.client_key is None:
            raise BadKey("Invalid API key. Send the proxy's apiKey as x-api-key or as Authorization: Bearer.")
        call.record.key = call.client_key.id

    async def _answer_error(self, call: Call, error: Exception) -> None:
        answer = answer_of(error)
        call.record.outcome = type(error).__name__
        if answer.status == 500:
            logger.error("a bug answered %s", call.record.route, exc_info=error)
        if call.reply.started:
            return  # too late for an answer: the connection is cut, which clients notice
        if isinstance(error, BodyTimeout):
            call.inbound.unread = False  # nothing to wait for
            await call.reply.error(answer.with_headers(_CLOSE))
        else:
            await call.reply.error(answer)

    # --- CORS -------------------------------------------------------------------------------------------------------

    def _cors_headers(self, headers: Iterable[Header]) -> tuple[Header, ...]:
        """For pages of the configured origins only; by default no page may read our answers."""
        if not self._origins:
            return ()
        vary: Header = (b"vary", b"origin")
        origin = next((value for name, value in headers if name == b"origin"), b"")
        if origin not in self._origins and not (origin and b"*" in self._origins):
            return (vary,)
        return (vary, (b"access-control-allow-origin", origin), (b"access-control-expose-headers", _EXPOSED))

    async def _answer_options(self, call: Call, route: Route) -> None:
        """What the route can do; to a page's preflight also what the page may do, if its origin is configured."""
        methods = ", ".join((*route.handlers, "OPTIONS")).encode()
        headers: list[Header] = [(b"allow", methods)]
        allowed = {name for name, _ in self._cors_headers(call.headers)}
        if b"access-control-allow-origin" in allowed:
            asked = (call.header(b"access-control-request-headers") or "*").encode("latin-1")
            headers += [
                (b"access-control-allow-methods", methods),
                (b"access-control-allow-headers", asked),
                (b"access-control-max-age", _PREFLIGHT_SECONDS),
            ]
            if call.header(b"access-control-request-private-network"):
                headers.append((b"access-control-allow-private-network", b"true"))
        await call.reply.empty(204, headers)


def presented_keys(headers: Iterable[Header]) -> Iterator[bytes]:
    """What stands in ``x-api-key`` and behind ``Authorization: Bearer``."""
    for name, value in headers:
        if name == b"x-api-key":
            yield value.strip()
        elif name == b"authorization" and value[:7].lower() == b"bearer ":
            yield value[7:].strip()


def sole_error(error: Exception) -> Exception:
    """The one exception inside groups of one; nurseries wrap everything."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
