"""Web search, which Kiro offers as an MCP server with one tool (upstream-protocol §7)."""

from __future__ import annotations

import json
import logging
import random
import secrets
import string
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import httpx
import trio

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import JsonObject, json_text
from kiro_rs_py.convert.search_results import SearchOutcome, parse_search_answer
from kiro_rs_py.errors import UpstreamError, UpstreamUnavailable
from kiro_rs_py.upstream.attempts import Attempts
from kiro_rs_py.upstream.control import read_answer
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.endpoints import Endpoint, Endpoints
from kiro_rs_py.upstream.failures import redacted, wrong_endpoint
from kiro_rs_py.upstream.headers import mcp_headers
from kiro_rs_py.upstream.http import HttpClients
from kiro_rs_py.upstream.leases import Lease, Succeeded
from kiro_rs_py.upstream.trying import LeaseSource, WrongEndpoint, on_hosts, with_credentials

logger = logging.getLogger(__name__)

SEARCH_SECONDS: Final = 60.0
"""No attempt begins later than this; each has the time of a control call."""

_ANY_MODEL: Final = ""
_UNREACHABLE: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)


@dataclass(frozen=True, slots=True)
class SearchReply:
    """``outcome`` may be a refusal of Kiro's; ``attempts`` and ``credential_id`` are for the log."""

    outcome: SearchOutcome
    credential_id: int
    attempts: int


class SearchClient:
    """Web searches, on whichever account the pool lends. ``jitter`` gives numbers from 0 to 1 for pauses."""

    def __init__(
        self,
        config: Config,
        pool: LeaseSource,
        http: HttpClients,
        endpoints: Endpoints,
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._config = config
        self._pool = pool
        self._http = http
        self._endpoints = endpoints
        self._jitter = jitter

    async def search(self, query: str, *, request_id: str) -> SearchReply:
        """What the web says to ``query``.

        Raises what :meth:`~kiro_rs_py.upstream.client.KiroClient.converse` does when no account could ask at all.
        """
        attempts = Attempts(trio.current_time() + SEARCH_SECONDS, self._jitter)
        body = search_body(query)

        async def attempt(lease: Lease) -> SearchReply:
            credential = lease.credential
            post = partial(self._post, credential=credential, body=body)
            answer = await on_hosts(self._endpoints, self._config, credential, request_id, post)
            lease.report(Succeeded())
            outcome = parse_search_answer(answer)
            if outcome.error is not None:
                logger.debug("the search was refused: %s", redacted(json.dumps(answer.get("error")).encode()))
            return SearchReply(outcome, credential.id, attempts.count)

        return await with_credentials(self._pool, attempts, _ANY_MODEL, request_id, attempt)

    async def _post(self, endpoint: Endpoint, credential: Credential, body: bytes) -> JsonObject:
        """One POST. Raises WrongEndpoint when this host cannot be reached or does not know the call."""
        url = endpoint.mcp_url
        headers = mcp_headers(self._config, credential, str(url), body)
        request = httpx.Request("POST", url, headers=headers, content=body)
        try:
            response = await self._http.call(request, credential)
        except UpstreamUnavailable as exc:
            if isinstance(exc.__cause__, _UNREACHABLE):
                raise WrongEndpoint(exc) from exc.__cause__
            raise
        try:
            return read_answer(request, response)
        except UpstreamError as exc:
            if wrong_endpoint(response.status_code, response.content):
                raise WrongEndpoint(exc) from None
            raise


def search_body(query: str) -> bytes:
    """The JSON-RPC call. Its id has the form that Kiro's own clients give it."""
    call_id = f"web_search_tooluse_{_random(22)}_{time.time_ns() // 1_000_000}_{_random(8).lower()}"
    params = {"name": "web_search", "arguments": {"query": query}}
    return json_text({"id": call_id, "jsonrpc": "2.0", "method": "tools/call", "params": params}).encode()


def _random(length: int) -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))
