"""Asking Kiro: attempts, leases, and every failure as one typed error (PRODUCT §4, upstream-protocol §3)."""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Protocol

import httpx
import trio

from kiro_rs_py.config import Config
from kiro_rs_py.convert.kiro import ConversationState, encode_request
from kiro_rs_py.errors import (
    ClientError,
    ContextWindowFull,
    KiroError,
    NoUsableCredential,
    PromptTooLong,
    SignatureRejected,
    UpstreamError,
    UpstreamTimeout,
)
from kiro_rs_py.upstream.attempts import Attempts
from kiro_rs_py.upstream.credential import Credential, api_region_of
from kiro_rs_py.upstream.endpoints import Endpoint, Endpoints
from kiro_rs_py.upstream.failures import classify, redacted, translate_transport_error, wrong_endpoint
from kiro_rs_py.upstream.headers import chat_headers, profile_arn_of
from kiro_rs_py.upstream.http import HttpClients
from kiro_rs_py.upstream.leases import Abandoned, Failed, Lease, Succeeded
from kiro_rs_py.upstream.stream import KiroStream
from kiro_rs_py.upstream.transport import ResponseBody

logger = logging.getLogger(__name__)

EVENT_STREAM = "application/vnd.amazon.eventstream"

MAX_ERROR_BODY_BYTES = 64 * 1024
ERROR_BODY_SECONDS = 10.0


class LeaseSource(Protocol):
    """What the client needs of the pool."""

    async def lease(self, model: str, *, tried: Collection[int] = ()) -> Lease: ...


class KiroClient:
    """Conversations with Kiro, on whichever account the pool lends.

    ``jitter`` gives numbers from 0 to 1 for the pauses between attempts.
    """

    def __init__(
        self,
        config: Config,
        pool: LeaseSource,
        http: HttpClients,
        endpoints: Endpoints | None = None,
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._config = config
        self._pool = pool
        self._http = http
        self._endpoints = endpoints or Endpoints(config)
        self._jitter = jitter

    @asynccontextmanager
    async def converse(
        self, conversation: ConversationState, *, request_id: str, input_tokens: int = 0, window: int = 200_000
    ) -> AsyncIterator[KiroStream]:
        """Ask, and hand out the answer once it has begun: entering waits for the first event that says something.

        All attempts happen before that; never one after. On leaving, the upstream socket is closed at once and the
        lease is reported: as succeeded when the answer was read to its end or left without an exception, as failed
        when the stream failed, as abandoned when the client's own trouble ended it.

        ``input_tokens`` (estimate) and ``window`` are the numbers of PromptTooLong. Raises on entering:
        PromptTooLong, UpstreamRejected and its kinds, NoUsableCredential, else what the most hopeful account failed
        with. ``request_id`` names the request in the log.
        """
        call = _Call(conversation, request_id, self._config.max_request_body_bytes, PromptTooLong(input_tokens, window))
        try:
            stream = await self._first_answer(call)
        except ContextWindowFull as exc:
            raise call.too_long from exc
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.watch, self._config.idle_timeout_seconds)
            try:
                yield stream
            except Exception as exc:
                # Out of the nursery as it is: callers match types, not groups.
                failure = exc
                stream.close(Abandoned())
            except BaseException:
                stream.close(Abandoned())
                raise
            finally:
                stream.close(Succeeded())
                nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _first_answer(self, call: _Call) -> KiroStream:
        """Attempt until a stream has begun. Raises the error for the client."""
        deadline = trio.current_time() + self._config.first_event_timeout_seconds
        attempts = Attempts(deadline, self._jitter)
        while True:
            lease = await self._lease(call, attempts)
            attempts.begin(lease.credential.id)
            try:
                stream = await self._attempt(lease, call)
            except KiroError as exc:
                lease.report(Abandoned() if isinstance(exc, ClientError) else Failed(exc))
                _log_failure(call, attempts, lease, exc)
                pause = attempts.failed(lease.credential.id, exc, trio.current_time())
            except BaseException:
                lease.report(Abandoned())
                raise
            else:
                stream.attempts = attempts.count
                return stream
            await trio.sleep(pause)

    async def _lease(self, call: _Call, attempts: Attempts) -> Lease:
        """A credential that has had no bad luck yet, else one whose bad luck was nobody's fault."""
        model = call.conversation.model_id
        try:
            return await self._pool.lease(model, tried=attempts.excluded | attempts.avoided)
        except NoUsableCredential as nobody:
            if attempts.avoided <= attempts.excluded:
                raise attempts.exhausted(nobody) from None
        try:
            return await self._pool.lease(model, tried=attempts.excluded)
        except NoUsableCredential as nobody:
            raise attempts.exhausted(nobody) from None

    async def _attempt(self, lease: Lease, call: _Call) -> KiroStream:
        """One try with one credential, up to the first event; a second POST only for a refused thinking signature."""
        with trio.move_on_after(self._config.first_event_timeout_seconds):
            try:
                return await self._ask(lease, call)
            except SignatureRejected:
                # The remedy of the official clients (upstream-protocol §1.10).
                if not call.strip_reasoning():
                    raise
                return await self._ask(lease, call)
        raise UpstreamTimeout("Kiro did not begin to answer in time.")

    async def _ask(self, lease: Lease, call: _Call) -> KiroStream:
        """POST to the host that takes the call, and wait for the first event."""
        response, body = await self._post(lease.credential, call)
        stream = KiroStream(
            body,
            lease.report,
            credential_id=lease.credential.id,
            upstream_request_id=response.headers.get("x-amzn-requestid"),
        )
        try:
            await stream.start()
        except BaseException:
            body.close()
            raise
        return stream

    async def _post(self, credential: Credential, call: _Call) -> tuple[httpx.Response, ResponseBody]:
        """The head of an event stream. Asks the next host when one does not take the call (upstream-protocol §1.12)."""
        data = call.body(profile_arn_of(credential))
        region = api_region_of(credential, self._config)
        first, *others = self._endpoints.candidates(region, trio.current_time(), credential.endpoint)
        try:
            return await self._post_to(first, credential, data)
        except _WrongEndpoint as exc:
            failure = exc
        for endpoint in others:
            logger.info("request %s: host %s does not take the call: %s", call.request_id, first.host, failure.error)
            try:
                answer = await self._post_to(endpoint, credential, data)
            except _WrongEndpoint as exc:
                failure = exc
            else:
                self._endpoints.remember(region, endpoint, trio.current_time())
                return answer
        raise failure.error from failure.__cause__

    async def _post_to(
        self, endpoint: Endpoint, credential: Credential, data: bytes
    ) -> tuple[httpx.Response, ResponseBody]:
        """One POST. Raises _WrongEndpoint when this host cannot be reached or does not know the call."""
        url = endpoint.chat_url
        request = httpx.Request(
            "POST",
            url,
            headers=chat_headers(self._config, credential, url.netloc.decode("ascii"), data),
            # As a stream it gets no headers from httpx besides these.
            stream=httpx.ByteStream(data),
            extensions={"timeout": {"connect": self._config.connect_timeout_seconds}},
        )
        try:
            response, body = await self._http.transport(credential).open_response(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as exc:
            raise _WrongEndpoint(translate_transport_error(exc)) from exc
        except httpx.RequestError as exc:
            raise translate_transport_error(exc) from exc
        if response.status_code == 200 and response.headers.get("content-type", "").startswith(EVENT_STREAM):
            return response, body
        text = await _read_error(body)
        logger.debug("upstream answered %d: %s", response.status_code, redacted(text))
        error = classify(response.status_code, response.headers, text)
        if wrong_endpoint(response.status_code, text):
            raise _WrongEndpoint(error)
        raise error


class _WrongEndpoint(Exception):
    """This host does not take the call; ``error`` is what to say if no other does."""

    def __init__(self, error: UpstreamError) -> None:
        super().__init__(str(error))
        self.error = error


class _Call:
    """One request's conversation and its bytes. ``too_long`` is what to raise when they are too many."""

    def __init__(
        self, conversation: ConversationState, request_id: str, max_body_bytes: int, too_long: PromptTooLong
    ) -> None:
        self.conversation = conversation
        self.request_id = request_id
        self.too_long = too_long
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

    def strip_reasoning(self) -> bool:
        """Leave out replayed reasoning from now on; False if there is none."""
        stripped = self.conversation.without_reasoning()
        if stripped == self.conversation:
            return False
        self.conversation = stripped
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


def _log_failure(call: _Call, attempts: Attempts, lease: Lease, error: KiroError) -> None:
    facts = ""
    if isinstance(error, UpstreamError):
        facts = f" (status {error.status}, reason {error.reason}, upstream id {error.request_id})"
    logger.info(
        "request %s: attempt %d with credential #%d failed: %s: %s%s",
        call.request_id, attempts.count, lease.credential.id, type(error).__name__, error, facts,
    )  # fmt: skip
