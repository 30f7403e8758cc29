"""Nothing grows without bound: what docs/operations.md says of every buffer and cache, and a proxy under load."""

from __future__ import annotations

import gc
import json
import re
from collections import Counter
from importlib import import_module
from pathlib import Path

import httpx
import pytest
import trio

from kiro_rs_py.config import Config
from kiro_rs_py.config.keys import default_of
from kiro_rs_py.errors import ModelUnavailable, UpstreamUnavailable
from kiro_rs_py.serve.connections import MAX_HEAD_BYTES
from kiro_rs_py.serve.counters import MOST_MODELS
from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.server import RunningSimulator, open_simulator
from kiro_rs_py.upstream.control import MAX_MODELS, list_models
from kiro_rs_py.upstream.endpoints import Endpoints
from kiro_rs_py.upstream.http import MAX_CALL_BODY_BYTES, HttpClients
from kiro_rs_py.upstream.leases import MOST_REFUSED_MODELS, Failed, Lease, settle
from tests.proxy import HELD, Proxy, request_of, running_proxy
from tests.upstream.pool_parts import at, make_entry
from tests.upstream.wire import Peer, serving

ROOT = Path(__file__).parent.parent.parent
ROW = re.compile(r"^\| [^|]+ \| [^|]+ \| `([a-z_0-9.]+)\.([A-Za-z_]+)` = ([0-9_]+) \| `(tests/[a-z_0-9/]+\.py)` \|$")


def rows() -> list[tuple[str, str, int, str]]:
    """Module, constant, value and test file of each line of the table."""
    section = (ROOT / "docs" / "operations.md").read_text().partition("## Bounded memory")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    found = [ROW.fullmatch(line) for line in lines]
    assert all(found), [line for line, match in zip(lines, found, strict=True) if not match]
    return [(match[1], match[2], int(match[3]), match[4]) for match in found if match]


def test_there_is_a_table() -> None:
    assert len(rows()) > 20


@pytest.mark.parametrize(("module", "name", "value", "test"), rows())
def test_the_table_tells_the_truth(module: str, name: str, value: int, test: str) -> None:
    if module == "config":
        assert default_of(name) == value
    else:
        assert getattr(import_module(f"kiro_rs_py.{module}"), name) == value
    assert re.search(rf"\b{name}\b", (ROOT / test).read_text()), f"{test} does not test {name}"


# --- those without a test of their own elsewhere ---------------------------------------------------------------------


async def test_an_answer_to_a_control_call() -> None:
    """MAX_CALL_BODY_BYTES: a refresh, a balance, a search."""

    async def endless(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        sent = 0
        while sent < 4 * MAX_CALL_BODY_BYTES:
            await peer.send(b"a" * 65536)
            sent += 65536

    http = HttpClients(Config())
    async with serving(endless) as server:
        with pytest.raises(UpstreamUnavailable):
            await http.call(httpx.Request("GET", f"http://127.0.0.1:{server.port}/"))


async def test_an_error_without_end(tmp_path: Path) -> None:
    """MAX_ERROR_BODY_BYTES: the proxy hangs up on it and answers."""
    closed = trio.Event()

    async def endless(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        try:
            while True:
                await peer.send(b"a" * 65536)
        finally:
            closed.set()

    async with serving(endless) as server:
        kiro = RunningSimulator(f"http://127.0.0.1:{server.port}", Simulator())
        async with running_proxy(kiro, tmp_path) as proxy:
            with trio.fail_after(30):
                assert (await proxy.ask()).status_code == 400
                await closed.wait()


async def test_the_head_of_a_request(proxy: Proxy) -> None:
    for size, status in ((2 * MAX_HEAD_BYTES, 431), (MAX_HEAD_BYTES - 1000, 200)):
        assert (await proxy.client.get("/healthz", headers={"x": "a" * size})).status_code == status


def test_models_an_account_has() -> None:
    """MAX_MODELS: however many the service lists."""
    listed = [{"modelId": f"model-{number}"} for number in range(10 * MAX_MODELS)]
    page = json.dumps({"models": listed}).encode()

    class OnePage:
        async def call(self, request: httpx.Request, *_: object, **__: object) -> httpx.Response:
            await trio.lowlevel.checkpoint()
            return httpx.Response(200, content=page)

    config = Config()
    account = make_entry(1).credential
    found = trio.run(list_models, OnePage(), config, Endpoints(config), account)
    assert len(found) == MAX_MODELS


def test_models_an_account_was_refused() -> None:
    """MOST_REFUSED_MODELS: clients may send any name."""
    entry = make_entry(1)
    for number in range(10 * MOST_REFUSED_MODELS):
        lease = Lease(entry.credential, f"model-{number}", 0.0, lambda lease, outcome: None)
        settle(entry, lease, Failed(ModelUnavailable("no")), at(number), 0.0)
    assert len(entry.refused_models) == MOST_REFUSED_MODELS


def test_refresh_tokens_that_were_spent() -> None:
    entry = make_entry(1)
    entry.spent.extend(str(number) for number in range(1000))
    assert len(entry.spent) == 64


# --- all together ----------------------------------------------------------------------------------------------------


async def use(proxy: Proxy, times: int, start: int = 0) -> None:
    """Every way of asking, and of asking wrongly, with names that were never used before."""
    for number in range(start, start + times):
        fresh = f"claude-made-up-{number}"
        await proxy.ask()
        await proxy.ask(stream=True)
        await proxy.ask(path=HELD, stream=True)
        await proxy.ask(model=f"gpt-{number}")
        await proxy.ask(model=fresh)
        await proxy.client.post("/v1/messages/count_tokens", json=request_of(model=fresh))
        await proxy.client.get(f"/no/such/route/{number}?{number}")
        await proxy.client.get(f"/v1/models/{fresh}")
        await proxy.client.post("/v1/messages", content=b"{", headers={"x-api-key": fresh})
        await proxy.client.get("/metrics")


# Rings that are not full yet, and Trio's: it forgets up to a thousand deadlines that are no more only now and then.
RINGS = {"CancelScope", "CancelReason", "tuple"}


async def test_requests_leave_nothing_behind(tmp_path: Path) -> None:
    """Objects that the collector sees, before and after. Whatever one of the ways left each time would show."""
    rounds = 40
    async with open_simulator(Simulator(keep_requests=1)) as simulator, running_proxy(simulator, tmp_path) as proxy:
        await use(proxy, MOST_MODELS)  # until small tables are full
        before = objects()
        await use(proxy, rounds, MOST_MODELS)
        grown = objects() - before
    assert all(count < (1000 if name in RINGS else rounds) for name, count in grown.items()), grown.most_common(20)


def objects() -> Counter[str]:
    gc.collect()
    return Counter(type(item).__name__ for item in gc.get_objects())
