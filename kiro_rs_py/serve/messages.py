"""``/v1/messages``, ``/cc/v1/messages`` and their ``count_tokens``: from the body to the delivery (DESIGN §3)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

import trio

from kiro_rs_py.config import Config
from kiro_rs_py.convert.calibration import Calibrations
from kiro_rs_py.convert.kiro import ConversationState
from kiro_rs_py.convert.lone_search import LoneAnswer
from kiro_rs_py.convert.messages_request import parse_messages_request
from kiro_rs_py.convert.models import ModelCatalog
from kiro_rs_py.convert.pdf import may_hold_pdf, pdfs_in, with_pdf_texts
from kiro_rs_py.convert.request import ConversionOptions, RequestIds, convert_request
from kiro_rs_py.convert.response import MessageStream
from kiro_rs_py.convert.tokens import estimate_request
from kiro_rs_py.convert.websearch import SearchPlan
from kiro_rs_py.errors import Forbidden
from kiro_rs_py.serve.app import Call, Route, sole_error
from kiro_rs_py.serve.chat import Chat
from kiro_rs_py.serve.client_keys import LONGEST_MODEL
from kiro_rs_py.serve.delivery import Delivery, Held, Live, Plain, Source
from kiro_rs_py.serve.ids import new_message_id, new_server_tool_id, new_uuid
from kiro_rs_py.serve.in_flight import InFlight, Load
from kiro_rs_py.serve.inbound import ClientLeft
from kiro_rs_py.serve.numbers import Numbers
from kiro_rs_py.serve.pdf_reading import PdfReading
from kiro_rs_py.serve.searches import LoneSearch, Searches

if TYPE_CHECKING:
    # It brings httpx with it, which the listening socket need not wait for.
    from kiro_rs_py.upstream.client import KiroClient
    from kiro_rs_py.upstream.counting import RemoteCounter

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Converting this much takes milliseconds: other streams must not wait for it.
LARGE_BODY_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request as far as it can be understood without asking anybody. ``web_search``: the query, if it is a lone
    search; ``search_plan``: what searches may do, if the model can make any."""

    message_id: str
    model: str
    state: ConversationState
    new_machine: Callable[[bool], MessageStream]
    upstream_id: str
    numbers: Numbers
    window: int
    stream: bool
    web_search: str | None
    search_plan: SearchPlan | None
    notes: tuple[str, ...]


class Messages:
    """The handlers of the message routes. ``calibrations`` are used and taught, ``counter`` is the remote one."""

    def __init__(
        self,
        client: KiroClient,
        in_flight: InFlight,
        config: Config,
        catalog: ModelCatalog,
        *,
        calibrations: Calibrations | None = None,
        counter: RemoteCounter | None = None,
    ) -> None:
        self._client = client
        self._pdfs = PdfReading()
        self._in_flight = in_flight
        self._calibrations = calibrations or Calibrations()
        self._counter = counter
        # Accounts whose whole answers are known to end with an end mark (upstream-protocol §2.5).
        self._marks_ends: set[int] = set()
        self.configure(config, catalog)

    def configure(self, config: Config, catalog: ModelCatalog) -> None:
        """Take over what may change while the proxy runs; requests under way keep what they began with."""
        self._ping_interval = config.ping_interval_seconds
        self._max_body = config.max_inbound_body_bytes
        self._in_flight.limit = config.max_concurrent_requests
        # One body of the largest size always fits.
        self._in_flight.most_bytes = max(config.max_inbound_bytes_in_flight, config.max_inbound_body_bytes)
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
            with self._in_flight.enter() as load:
                delivery = await self._delivery(call, load, hold=hold)
                await delivery.run()
        except ClientLeft:
            raise
        except Exception as exc:
            if delivery is None or not call.reply.started:
                raise
            await delivery.fail(sole_error(exc))

    async def count(self, call: Call) -> None:
        """POST …/count_tokens: the estimate that also stands in ``message_start``, or the remote counter's number."""
        options, calibrations = self._options, self._calibrations
        with self._in_flight.enter() as load:
            body = await call.inbound.read(self._max_body, load.add)
            tokens = await _aside(
                body, partial(count_tokens, options=options, calibrations=calibrations, models=_models_of(call))
            )
            if self._counter is not None:
                tokens = await self._counter.count(await _aside(body, self._counting_body)) or tokens
        await call.reply.json(200, {"input_tokens": tokens})

    async def _prepare(self, call: Call, body: bytes) -> Prepared:
        ids = RequestIds(conversation=new_uuid(), continuation=new_uuid())
        prepare_body = partial(
            prepare,
            ids=ids,
            options=self._options,
            message_id=new_message_id(),
            calibrations=self._calibrations,
            pdf_texts=await self._read_pdfs(call, body),
            models=_models_of(call),
        )
        prepared = await _aside(body, prepare_body)
        # A lone search asks no model, so its name may be anything the client likes, which has no place in the log.
        call.record.model = prepared.upstream_id if prepared.web_search is None else "(web search)"
        for note in prepared.notes:
            logger.debug("%s", note)
        return prepared

    async def _read_pdfs(self, call: Call, body: bytes) -> Mapping[str, str]:
        """The text of each PDF in the request. Raises ClientLeft: it may take as long as an answer."""
        if not may_hold_pdf(body):
            return {}
        documents = await _aside(body, pdf_documents)
        read: Mapping[str, str] | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_when_gone, call, nursery.cancel_scope)
            read = await self._pdfs.texts_of(documents)
            nursery.cancel_scope.cancel()
        if read is None:
            raise ClientLeft
        return read

    async def _delivery(self, call: Call, load: Load, *, hold: bool) -> Delivery:
        body = await call.inbound.read(self._max_body, load.add)
        prepared = await self._prepare(call, body)
        drain = (Held if hold else Live) if prepared.stream else Plain
        # What is sent to the counter lives as long as the answer.
        source = self._source(call, prepared, let_go=load.let_go if self._counter is None else None)
        beside = None
        if self._counter is not None:
            beside = prepared.numbers.expect(self._counter, await _aside(body, self._counting_body))
        return Delivery(call, drain(call.reply), source, ping_interval=self._ping_interval, beside=beside)

    def _counting_body(self, body: bytes) -> bytes:
        from kiro_rs_py.upstream.counting import counting_body

        options = self._options
        return counting_body(body, partial(options.catalog.public_id, thinking_suffix=options.thinking_suffix))

    def _source(self, call: Call, prepared: Prepared, *, let_go: Callable[[], None] | None) -> Source:
        request_id, record = call.request_id, call.record
        searches: Searches | None = None
        if prepared.search_plan is not None:
            searches = Searches(self._client, prepared.search_plan, request_id=request_id, record=record)
            if prepared.web_search is not None:
                answer = LoneAnswer(
                    message_id=prepared.message_id,
                    tool_use_id=new_server_tool_id(),
                    model=prepared.model,
                    input_estimate=prepared.numbers.input_tokens,
                )
                return LoneSearch(searches, prepared.web_search, answer, record)
        return Chat(
            self._client,
            prepared.state,
            new_machine=prepared.new_machine,
            searches=searches,
            marks_ends=self._marks_ends,
            numbers=prepared.numbers,
            window=prepared.window,
            request_id=request_id,
            record=record,
            let_go=let_go,
        )


def prepare(
    body: bytes,
    *,
    ids: RequestIds,
    options: ConversionOptions,
    message_id: str,
    calibrations: Calibrations,
    pdf_texts: Mapping[str, str] = MappingProxyType({}),
    models: Collection[str] | None = None,
) -> Prepared:
    """Parse, convert and count. ``pdf_texts`` are those of the :func:`pdf_documents`, ``models`` those that may be
    asked (None: all). Raises :class:`InvalidRequest` and its kinds, NotFound for an unknown model, Forbidden."""
    request = with_pdf_texts(parse_messages_request(body), pdf_texts)
    check_model(request.model, models, options)
    conversion = convert_request(request, ids=ids, options=options)
    numbers = Numbers(estimate_request(request), conversion.model.upstream_id, calibrations)
    # Taken out one by one, so that the machine does not keep the whole request alive.
    model, thinking, tool_names = conversion.model, conversion.thinking, conversion.tool_names
    stop_sequences, search_plan = conversion.stop_sequences, conversion.search_plan
    answer_schema, one_call = conversion.answer_schema, conversion.one_call

    def new_machine(expects_metadata: bool) -> MessageStream:
        return MessageStream(
            message_id=message_id,
            model=model.name,
            thinking=thinking,
            tool_names=tool_names,
            input_estimate=numbers.input_tokens,
            window=model.window,
            stop_sequences=stop_sequences,
            expects_metadata=expects_metadata,
            search_tool=search_plan.tool if search_plan else None,
            thinking_model=model.upstream_id,
            answer_schema=answer_schema,
            one_call=one_call,
        )

    return Prepared(
        message_id=message_id,
        model=model.name,
        state=conversion.state,
        new_machine=new_machine,
        upstream_id=model.upstream_id,
        numbers=numbers,
        window=model.window,
        stream=request.stream,
        web_search=conversion.web_search,
        search_plan=search_plan,
        notes=conversion.notes,
    )


def pdf_documents(body: bytes) -> tuple[str, ...]:
    """The PDFs in a request, as the client sent them. Raises :class:`InvalidRequest`."""
    return pdfs_in(parse_messages_request(body).messages)


def count_tokens(
    body: bytes,
    *,
    options: ConversionOptions,
    calibrations: Calibrations,
    models: Collection[str] | None = None,
) -> int:
    """Tokens of a count_tokens body. Raises :class:`InvalidRequest`, and Forbidden for a model that is none of
    ``models`` (None: all); else it may have any name."""
    request = parse_messages_request(body, count_only=True)
    check_model(request.model, models, options)
    upstream_id = options.catalog.upstream_id_of(request.model, thinking_suffix=options.thinking_suffix)
    return Numbers(estimate_request(request), upstream_id, calibrations).input_tokens


def check_model(name: str, allowed: Collection[str] | None, options: ConversionOptions) -> None:
    """Raises Forbidden for a model that the client's key is not for. Any spelling of an allowed model will do: what
    counts is the model that is asked in the end."""
    if allowed is None:
        return
    meant = partial(options.catalog.upstream_id_of, thinking_suffix=options.thinking_suffix)
    if meant(name) not in map(meant, allowed):
        raise Forbidden(f"model: {name[:LONGEST_MODEL]} may not be used with this key.")


def _models_of(call: Call) -> Collection[str] | None:
    """The models that the request's key is for; None for all."""
    return call.client_key.models if call.client_key is not None else None


async def _cancel_when_gone(call: Call, scope: trio.CancelScope) -> None:
    await call.inbound.wait_until_gone()
    scope.cancel()


async def _aside(body: bytes, work: Callable[[bytes], T]) -> T:
    """``work(body)``, in a thread if it may take long."""
    if len(body) < LARGE_BODY_BYTES:
        return work(body)
    return await trio.to_thread.run_sync(work, body, abandon_on_cancel=True)
