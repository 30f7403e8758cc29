"""Asking Kiro: attempts, leases, and every failure as one typed error (PRODUCT §4, upstream-protocol §3)."""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import httpx
import trio

from kiro_rs_py.config import Config
from kiro_rs_py.convert.kiro import ConversationState, encode_request
from kiro_rs_py.errors import ContextWindowFull, PromptTooLong, SignatureRejected, UpstreamRejected, UpstreamTimeout
from kiro_rs_py.upstream import sentences
from kiro_rs_py.upstream.attempts import Attempts, OwnTally, Tally
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.endpoints import Endpoint, Endpoints
from kiro_rs_py.upstream.failures import classify, redacted, translate_transport_error, wrong_endpoint
from kiro_rs_py.upstream.headers import chat_headers, profile_arn_of
from kiro_rs_py.upstream.http import HttpClients
from kiro_rs_py.upstream.leases import Abandoned, Lease, Succeeded
from kiro_rs_py.upstream.mcp import SearchClient, SearchReply
from kiro_rs_py.upstream.stream import Body, KiroStream
from kiro_rs_py.upstream.transport import ResponseBody
from kiro_rs_py.upstream.trying import LeaseSource, WrongEndpoint, on_hosts, waiting, with_credentials

if TYPE_CHECKING:
    from kiro_rs_py.upstream.dump import Dump

logger = logging.getLogger(__name__)

EVENT_STREAM = "application/vnd.amazon.eventstream"

MAX_ERROR_BODY_BYTES = 64 * 1024
ERROR_BODY_SECONDS = 10.0

# Also how fields are refused that this account's service does not know: "Improperly formed request." has no reason
# (field-notes §2a).
_REASONS_OF_EXTRA_FIELDS = (None, "REQUEST_BODY_INVALID")


class KiroClient:
    """Conversations with Kiro, on whichever account the pool lends.

    ``jitter`` gives numbers from 0 to 1 for the pauses between attempts. ``dump`` gets a redacted copy of each answer.
    """

    def __init__(
        self,
        config: Config,
        pool: LeaseSource,
        http: HttpClients,
        endpoints: Endpoints | None = None,
        *,
        jitter: Callable[[], float] = random.random,
        dump: Dump | None = None,
    ) -> None:
        self._config = config
        self._pool = pool
        self._http = http
        self._endpoints = endpoints or Endpoints(config)
        self._jitter = jitter
        self._dump = dump
        self._searches = SearchClient(config, pool, http, self._endpoints, jitter=jitter)

    @property
    def idle_seconds(self) -> float:
        """The longest silence inside an answer."""
        return self._config.idle_timeout_seconds

    @asynccontextmanager
    async def converse(
        self,
        conversation: ConversationState,
        *,
        request_id: str,
        input_tokens: int = 0,
        window: int = 200_000,
        tally: Tally | None = None,
    ) -> AsyncIterator[KiroStream]:
        """Ask, and hand out the answer once it has begun: entering waits for the first event that says something.

        All attempts happen before that; never one after. On leaving, the upstream socket is closed at once and the
        lease is reported: as succeeded when the answer was read to its end or left without an exception, as failed
        when the stream failed, as abandoned when the client's own trouble ended it. While it is read, somebody has to
        :meth:`~KiroStream.look` after it, at least every :attr:`idle_seconds`.

        ``input_tokens`` (estimate) and ``window`` are the numbers of PromptTooLong. Raises on entering:
        PromptTooLong, UpstreamRejected and its kinds, NoUsableCredential, else what the most hopeful account failed
        with. ``request_id`` names the request in the log, ``tally`` is told what it costs.
        """
        too_long = PromptTooLong(input_tokens, window)
        call = _Call(conversation, request_id, self._config.max_request_body_bytes, too_long, tally or OwnTally())
        try:
            stream = await self._first_answer(call)
        except ContextWindowFull as exc:
            raise too_long from exc
        # They may be megabytes, and the answer takes minutes.
        del conversation, call
        try:
            yield stream
        except BaseException:
            stream.close(Abandoned())
            raise
        stream.close(Succeeded())

    async def search(self, query: str, *, request_id: str) -> SearchReply:
        """What the web says to ``query``. Raises what :meth:`converse` does, save PromptTooLong."""
        return await self._searches.search(query, request_id=request_id)

    async def _first_answer(self, call: _Call) -> KiroStream:
        """Attempt until a stream has begun. Raises the error for the client."""
        deadline = trio.current_time() + self._config.first_event_timeout_seconds
        attempts = Attempts(deadline, self._jitter, call.tally)
        model = call.conversation.model_id
        attempt = partial(self._attempt, call=call)
        stream = await with_credentials(self._pool, attempts, model, call.request_id, attempt)
        stream.attempts = attempts.count
        return stream

    async def _attempt(self, lease: Lease, call: _Call) -> KiroStream:
        """One try with one credential, up to the first event; a second POST only without what was refused of it."""
        with trio.move_on_after(self._config.first_event_timeout_seconds):
            while True:
                try:
                    return await self._ask(lease, call)
                except UpstreamRejected as exc:
                    if not call.simplify(exc):
                        raise
                    logger.info("request %s: sent once more without what was refused: %s", call.request_id, exc)
        raise UpstreamTimeout(sentences.NO_START)

    async def _ask(self, lease: Lease, call: _Call) -> KiroStream:
        """POST to the host that takes the call, and wait for the first event."""
        response, body = await self._post(lease.credential, call)
        stream = KiroStream(
            body,
            lease.report,
            credential_id=lease.credential.id,
            upstream_request_id=response.headers.get("x-amzn-requestid"),
            idle_seconds=self.idle_seconds,
            tally=call.tally,
        )
        try:
            await stream.start()
        except BaseException:
            body.close()
            raise
        return stream

    async def _post(self, credential: Credential, call: _Call) -> tuple[httpx.Response, Body]:
        """The head of an event stream. Asks the next host when one does not take the call (upstream-protocol §1.12)."""
        data = call.body(profile_arn_of(credential))
        post = partial(self._post_to, credential=credential, data=data, call=call)
        return await on_hosts(self._endpoints, self._config, credential, call.request_id, post)

    async def _post_to(
        self, endpoint: Endpoint, credential: Credential, data: bytes, call: _Call
    ) -> tuple[httpx.Response, Body]:
        """One POST. Raises WrongEndpoint when this host cannot be reached or does not know the call."""
        url = endpoint.chat_url
        request = httpx.Request(
            "POST",
            url,
            headers=chat_headers(self._config, credential, str(url), data),
            # As a stream it gets no headers from httpx besides these.
            stream=httpx.ByteStream(data),
            extensions={"timeout": {"connect": self._config.connect_timeout_seconds}},
        )
        transport = self._http.transport(credential)
        try:
            with waiting(call.tally):
                response, body = await transport.open_response(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as exc:
            raise WrongEndpoint(translate_transport_error(exc)) from exc
        except httpx.RequestError as exc:
            raise translate_transport_error(exc) from exc
        if response.status_code == 200 and response.headers.get("content-type", "").startswith(EVENT_STREAM):
            return response, body if self._dump is None else self._dump.record(body, call.request_id)
        with waiting(call.tally):
            text = await _read_error(body)
        if self._dump is not None:
            self._dump.add_answer(call.request_id, response.status_code, response.headers, text)
        logger.debug("upstream answered %d: %s", response.status_code, redacted(text))
        error = classify(response.status_code, response.headers, text)
        if wrong_endpoint(response.status_code, text):
            raise WrongEndpoint(error)
        raise error


class _Call:
    """One request's conversation and its bytes. ``too_long`` is what to raise when they are too many."""

    def __init__(
        self,
        conversation: ConversationState,
        request_id: str,
        max_body_bytes: int,
        too_long: PromptTooLong,
        tally: Tally,
    ) -> None:
        self.conversation = conversation
        self.request_id = request_id
        self.too_long = too_long
        self.tally = tally
        self._max_body_bytes = max_body_bytes
        self._bodies: dict[str | None, bytes] = {}

    def body(self, profile_arn: str | None) -> bytes:
        """The request's body, encoded once for each ARN. Raises PromptTooLong over the configured size (0: never)."""
        body = self._bodies.get(profile_arn)
        if body is None:
            body = self._bodies[profile_arn] = encode_request(self.conversation, profile_arn)
            if 0 < self._max_body_bytes < len(body):
                raise self.too_long
        return body

    def simplify(self, error: UpstreamRejected) -> bool:
        """Leave out from now on what upstream refuses of native thinking (§1.10); False if that is not the reason, or
        nothing is left to leave out. Stripped signatures are the remedy of the official clients."""
        simpler = self.conversation
        if isinstance(error, SignatureRejected):
            simpler = simpler.without_reasoning()
        elif type(error) is UpstreamRejected and error.reason in _REASONS_OF_EXTRA_FIELDS:
            simpler = replace(simpler, extra_fields=None)
        if simpler == self.conversation:
            return False
        self.conversation = simpler
        self._bodies.clear()
        return True


async def _read_error(body: ResponseBody) -> bytes:
    """What there is of an error's body, within limits: half an explanation is better than none."""
    text = b""
    try:
        with trio.move_on_after(ERROR_BODY_SECONDS):
            while len(text) < MAX_ERROR_BODY_BYTES and (piece := await body.receive()):
                text += piece
    except httpx.RequestError:
        pass
    finally:
        body.close()
    return text
