"""``/v1/messages``, ``/cc/v1/messages`` and their ``count_tokens``: from the body to the delivery (DESIGN §3)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import trio

from kiro_rs_py.config import Config
from kiro_rs_py.convert.kiro import ConversationState
from kiro_rs_py.convert.messages_request import parse_messages_request
from kiro_rs_py.convert.models import ModelCatalog
from kiro_rs_py.convert.request import ConversionOptions, RequestIds, convert_request
from kiro_rs_py.convert.response import MessageStream
from kiro_rs_py.convert.tokens import estimate_request
from kiro_rs_py.errors import InvalidRequest
from kiro_rs_py.serve.app import Call, Route, sole_error
from kiro_rs_py.serve.delivery import Delivery, Held, Live, Plain
from kiro_rs_py.serve.ids import new_message_id, new_uuid
from kiro_rs_py.serve.in_flight import InFlight
from kiro_rs_py.serve.inbound import ClientLeft

if TYPE_CHECKING:
    # It brings httpx with it, which the listening socket need not wait for.
    from kiro_rs_py.upstream.client import KiroClient

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Converting this much takes milliseconds, and extracting a PDF's text seconds: other streams must not wait for it.
LARGE_BODY_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request as far as it can be understood without asking anybody."""

    state: ConversationState
    new_machine: Callable[[bool], MessageStream]
    upstream_id: str
    input_tokens: int
    window: int
    stream: bool
    notes: tuple[str, ...]


class Messages:
    """The handlers of the message routes."""

    def __init__(self, client: KiroClient, in_flight: InFlight, config: Config, catalog: ModelCatalog) -> None:
        self._client = client
        self._in_flight = in_flight
        # Accounts whose whole answers are known to end with an end mark (upstream-protocol §2.5).
        self._marks_ends: set[int] = set()
        self.configure(config, catalog)

    def configure(self, config: Config, catalog: ModelCatalog) -> None:
        """Take over what may change while the proxy runs; requests under way keep what they began with."""
        self._ping_interval = config.ping_interval_seconds
        self._max_body = config.max_inbound_body_bytes
        self._in_flight.limit = config.max_concurrent_requests
        self._options = ConversionOptions(
            catalog=catalog,
            thinking_suffix=config.thinking_suffix,
            thinking_format=config.thinking_format,
            tool_compression_bytes=config.tool_compression_bytes,
        )

    def routes(self) -> list[Route]:
        """All of them; ``/cc`` differs in holding streams back until the usage is known."""
        return [
            Route("/v1/messages", {"POST": partial(self.answer, hold=False)}),
            Route("/cc/v1/messages", {"POST": partial(self.answer, hold=True)}),
            Route("/v1/messages/count_tokens", {"POST": self.count}),
            Route("/cc/v1/messages/count_tokens", {"POST": self.count}),
        ]

    async def answer(self, call: Call, *, hold: bool) -> None:
        """POST …/messages. Failures before the first byte are raised, later ones become an SSE ``error`` event."""
        delivery: Delivery | None = None
        try:
            with self._in_flight.enter():
                delivery = self._delivery(call, await self._prepare(call), hold=hold)
                await delivery.run()
        except ClientLeft:
            raise
        except Exception as exc:
            if delivery is None or not call.reply.started:
                raise
            await delivery.fail(sole_error(exc))

    async def count(self, call: Call) -> None:
        """POST …/count_tokens: the estimate that also stands in ``message_start``."""
        body = await call.inbound.read(self._max_body)
        tokens = await _aside(body, count_tokens)
        await call.reply.json(200, {"input_tokens": tokens})

    async def _prepare(self, call: Call) -> Prepared:
        body = await call.inbound.read(self._max_body)
        ids = RequestIds(conversation=new_uuid(), continuation=new_uuid())
        prepare_body = partial(prepare, ids=ids, options=self._options, message_id=new_message_id())
        prepared = await _aside(body, prepare_body)
        call.record.model = prepared.upstream_id
        for note in prepared.notes:
            logger.debug("%s", note)
        return prepared

    def _delivery(self, call: Call, prepared: Prepared, *, hold: bool) -> Delivery:
        drain = (Held if hold else Live) if prepared.stream else Plain
        return Delivery(
            call,
            self._client,
            drain(call.reply),
            prepared.state,
            new_machine=prepared.new_machine,
            marks_ends=self._marks_ends,
            input_tokens=prepared.input_tokens,
            window=prepared.window,
            ping_interval=self._ping_interval,
        )


def prepare(body: bytes, *, ids: RequestIds, options: ConversionOptions, message_id: str) -> Prepared:
    """Parse, convert and count. Raises :class:`InvalidRequest` and its kinds, NotFound for an unknown model."""
    request = parse_messages_request(body)
    conversion = convert_request(request, ids=ids, options=options)
    if conversion.web_search is not None:
        raise InvalidRequest("tools: web_search as the only tool is not supported by this proxy yet.")
    input_tokens = estimate_request(request).total
    # Taken out one by one, so that the machine does not keep the whole request alive.
    model, thinking, tool_names = conversion.model, conversion.thinking, conversion.tool_names
    stop_sequences = conversion.stop_sequences

    def new_machine(expects_metadata: bool) -> MessageStream:
        return MessageStream(
            message_id=message_id,
            model=model.name,
            thinking=thinking,
            tool_names=tool_names,
            input_estimate=input_tokens,
            window=model.window,
            stop_sequences=stop_sequences,
            expects_metadata=expects_metadata,
        )

    return Prepared(
        state=conversion.state,
        new_machine=new_machine,
        upstream_id=model.upstream_id,
        input_tokens=input_tokens,
        window=model.window,
        stream=request.stream,
        notes=conversion.notes,
    )


def count_tokens(body: bytes) -> int:
    """Tokens of a count_tokens body. Raises :class:`InvalidRequest`."""
    return estimate_request(parse_messages_request(body, count_only=True)).total


async def _aside(body: bytes, work: Callable[[bytes], T]) -> T:
    """``work(body)``, in a thread if it may take long."""
    if len(body) < LARGE_BODY_BYTES:
        return work(body)
    return await trio.to_thread.run_sync(work, body, abandon_on_cancel=True)
