"""One tiny conversation on one given account, to see whether it works (operations §6.11, "test call")."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass

import trio

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.convert.calibration import Calibrations
from kiro_rs_py.convert.events import AssistantText, Fault
from kiro_rs_py.convert.request import ConversionOptions, RequestIds
from kiro_rs_py.errors import EmptyAnswer, KiroError, NotFound, NoUsableCredential, UpstreamTimeout
from kiro_rs_py.serve.admin.house import House
from kiro_rs_py.serve.admin.refusals import Refusal, invalid_field, too_many
from kiro_rs_py.serve.ids import new_message_id, new_request_id, new_uuid
from kiro_rs_py.serve.messages import Prepared, prepare
from kiro_rs_py.upstream.client import KiroClient
from kiro_rs_py.upstream.failures import classify_fault
from kiro_rs_py.upstream.leases import Lease
from kiro_rs_py.upstream.pool import CredentialPool, CredentialStatus

PAUSE_SECONDS = 10.0
"""Between two tests of one account: each costs credits."""

LONGEST_SECONDS = 60.0
LONGEST_TEXT = 200
QUESTION = "Reply with the single word: ready"
USUAL_MODEL = "claude-haiku-4-5"


@dataclass(frozen=True, slots=True)
class Trial:
    """How it went; times in milliseconds, None where it did not come so far."""

    model: str
    first_event_ms: int | None
    total_ms: int
    text: str
    error: KiroError | None = None

    def to_json(self) -> JsonObject:
        return {
            "ok": self.error is None,
            "model": self.model,
            "firstEventMs": self.first_event_ms,
            "totalMs": self.total_ms,
            "text": self.text or None,
            "error": None if self.error is None else {"code": type(self.error).__name__, "message": str(self.error)},
        }


class Trials:
    """``config`` gives the configuration in force."""

    def __init__(self, house: House, config: Callable[[], Config]) -> None:
        self._house = house
        self._config = config
        self._begun: dict[int, float] = {}
        self._running: set[int] = set()

    async def run(self, credential_id: int, model: str | None) -> Trial:
        """Ask a short question on exactly that account. What the account does is reported to the pool, as ever.

        Raises Refusal: 404, 409 for an account that is not in use, 429 within ten seconds, 400 for no model.
        """
        status = self._house.status(credential_id)
        if status.state != "active":
            raise Refusal(409, "invalid_request", "not_active", _why_not(status))
        prepared = self._prepare(model or self._cheapest(credential_id))
        self._begin(credential_id)
        try:
            return await self._ask(credential_id, prepared)
        finally:
            self._running.discard(credential_id)

    def purge(self) -> None:
        """Forget tests that nobody has to wait for any more."""
        now = self._house.clock()
        self._begun = {number: at for number, at in self._begun.items() if now - at < PAUSE_SECONDS}

    def _begin(self, credential_id: int) -> None:
        now = self._house.clock()
        wait = PAUSE_SECONDS - (now - self._begun.get(credential_id, float("-inf")))
        if credential_id in self._running or wait > 0:
            text = "This account is being tested, or was a moment ago. A test costs credits: wait a little."
            raise too_many("too_many_tests", text, max(1.0, wait))
        self._begun[credential_id] = now
        self._running.add(credential_id)

    def _cheapest(self, credential_id: int) -> str:
        """The model that costs the account least, as far as it has told."""
        listed = self._house.models.listed(credential_id)
        priced = [(found.rate, found.upstream_id) for found in listed.models if found.rate] if listed else []
        return min(priced)[1] if priced else USUAL_MODEL

    def _prepare(self, model: str) -> Prepared:
        config = self._config()
        body = {"model": model, "max_tokens": 16, "messages": [{"role": "user", "content": QUESTION}]}
        try:
            return prepare(
                json.dumps(body).encode(),
                ids=RequestIds(conversation=new_uuid(), continuation=new_uuid()),
                options=ConversionOptions(catalog=self._house.catalog(config), thinking_suffix=config.thinking_suffix),
                message_id=new_message_id(),
                calibrations=Calibrations(),
            )
        except NotFound as unknown:
            raise invalid_field("model", str(unknown).removeprefix("model: ")) from None

    async def _ask(self, credential_id: int, prepared: Prepared) -> Trial:
        house = self._house
        client = KiroClient(house.config, _OneAccount(house.pool, credential_id), house.http, house.endpoints)
        began = trio.current_time()
        first: int | None = None
        text = ""
        error: KiroError | None = UpstreamTimeout(f"There was no whole answer within {LONGEST_SECONDS:.0f} seconds.")
        try:
            with trio.move_on_after(LONGEST_SECONDS):
                async with client.converse(
                    prepared.state,
                    request_id=new_request_id(),
                    input_tokens=prepared.numbers.input_tokens,
                    window=prepared.window,
                ) as stream:
                    while (batch := await stream.next_events()) is not None:
                        for event in batch:
                            if isinstance(event, Fault):
                                raise classify_fault(event)
                            if isinstance(event, AssistantText):
                                first = _milliseconds(began) if first is None else first
                                text = (text + event.content)[:LONGEST_TEXT]
                error = None if text.strip() else EmptyAnswer("Kiro answered without any content.")
        except NoUsableCredential:
            error = NoUsableCredential(_why_not(self._house.status(credential_id)))
        except KiroError as problem:
            error = problem
        return Trial(prepared.model, first, _milliseconds(began), text.strip(), error)


class _OneAccount:
    """A pool of one account for :class:`KiroClient`."""

    def __init__(self, pool: CredentialPool, credential_id: int) -> None:
        self._pool = pool
        self._id = credential_id

    async def lease(self, model: str, *, tried: Collection[int] = ()) -> Lease:
        return await self._pool.lease(model, tried=tried, only=self._id)


def _why_not(status: CredentialStatus) -> str:
    if status.state == "active":
        return status.last_error or "The account could not be used for this model now."
    state = status.state.replace("_", " ")
    return f"The account is not in use ({state}). {status.cause}".strip()


def _milliseconds(began: float) -> int:
    return round((trio.current_time() - began) * 1000)
