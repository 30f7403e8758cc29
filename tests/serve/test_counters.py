from __future__ import annotations

from typing import Any

import trio
import trio.testing

from kiro_rs_py.serve.counters import MOST_MODELS, Counters
from kiro_rs_py.serve.exposition import Exposition
from kiro_rs_py.serve.request_log import RequestRecord
from tests.serve.prometheus import Page, parse


def page_of(counters: Counters) -> Page:
    out = Exposition()
    counters.write(out)
    return parse(out.page())


def record_of(status: int | None = 200, **values: Any) -> RequestRecord:
    record = RequestRecord("POST")
    record.route = "/v1/messages"
    for name, value in values.items():
        setattr(record, name, value)
    record.end(status)
    return record


async def test_a_message(autojump_clock: trio.testing.MockClock) -> None:
    record = RequestRecord("POST")
    record.route, record.model, record.mode = "/v1/messages", "claude-opus-4.6", "stream"
    with record.waiting():
        await trio.sleep(3)
    record.first_byte()
    await trio.sleep(0.02)
    record.input_tokens, record.output_tokens, record.credits = 1000, 20, 0.5
    record.attempts, record.retries, record.searches = 3, 2, 1
    record.end(200)
    counters = Counters()
    counters.note(record)
    page = page_of(counters)
    assert page.value("kiro_requests_total", route="/v1/messages", status="200") == 1
    assert page.value("kiro_messages_total", model="claude-opus-4.6", mode="stream", outcome="ok") == 1
    assert page.value("kiro_first_event_seconds_bucket", mode="stream", le="2") == 0
    assert page.value("kiro_first_event_seconds_bucket", mode="stream", le="4") == 1
    assert page.value("kiro_upstream_wait_seconds_sum") == 3
    assert page.value("kiro_own_seconds_bucket", le="0.01") == 0
    assert page.value("kiro_own_seconds_bucket", le="0.025") == 1
    assert page.value("kiro_request_seconds_bucket", route="/v1/messages", le="5") == 1
    assert page.value("kiro_tokens_total", model="claude-opus-4.6", direction="input") == 1000
    assert page.value("kiro_tokens_total", model="claude-opus-4.6", direction="output") == 20
    assert page.value("kiro_credits_total", model="claude-opus-4.6") == 0.5
    assert page.value("kiro_retries_total") == 2
    assert page.value("kiro_web_searches_total") == 1


async def test_failures_and_who_left() -> None:
    counters = Counters()
    for status, outcome in ((429, "Throttled"), (200, "UpstreamTimeout"), (None, "client left")):
        counters.note(record_of(status, outcome=outcome, model="m", mode="plain"))
    counters.note(record_of(400, outcome="InvalidRequest"))
    page = page_of(counters)
    assert page.value("kiro_requests_total", route="/v1/messages", status="none") == 1
    assert page.value("kiro_requests_total", route="/v1/messages", status="400") == 1
    assert page.value("kiro_messages_total", model="m", mode="plain", outcome="Throttled") == 1
    assert page.value("kiro_messages_total", model="m", mode="plain", outcome="client left") == 1
    assert page.value("kiro_own_seconds_count") == 3
    assert "kiro_first_event_seconds_count" not in str(page.families["kiro_first_event_seconds"].samples)


async def test_made_up_models_do_not_fill_the_memory() -> None:
    counters = Counters()
    for number in range(3 * MOST_MODELS):
        counters.note(record_of(model=f"model-{number}", mode="plain", credits=1.0))
    counters.note(record_of(model="model-0", mode="plain", credits=1.0))
    page = page_of(counters)
    assert len(page.families["kiro_credits_total"].samples) == MOST_MODELS + 1
    assert len(page.families["kiro_messages_total"].samples) == MOST_MODELS + 1
    assert page.value("kiro_credits_total", model="other") == 2 * MOST_MODELS
    assert page.value("kiro_credits_total", model="model-0") == 2
