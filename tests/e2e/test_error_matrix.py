"""Each kind of upstream failure, in each way a client can ask: status, type, message, headers, and how often Kiro was
asked for it. The cells are those of docs/errors.md."""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from kiro_rs_py.simulator.app import CHAT, REFRESH, Simulator
from kiro_rs_py.simulator.server import RunningSimulator, open_simulator
from tests.e2e.error_kinds import KINDS, PAGE, WAYS, Kind, Way, with_table
from tests.proxy import HELD, STREAM, Proxy, events_of, running_proxy, text_of
from tests.upstream.certificates import loopback_certificate

TEXT = "one two three four five six seven eight nine ten"
MODES: dict[Way, str] = {"stream": "stream", "plain": "plain", "cc": "held"}
PATHS: dict[Way, tuple[str, bool]] = {"stream": (STREAM, True), "plain": (STREAM, False), "cc": (HELD, True)}
SECRETS = ("127.0.0.1", "localhost", "secret", "imulat", "bearer token", "User ID", "marmalade")


def order(kind: Kind, simulator: Simulator, account: str | None = None) -> None:
    """Let the simulator fail in this way, always, or whenever it is this account that asks."""
    if kind.refresh is not None:
        status, body = kind.refresh
        simulator.fail_next(REFRESH, status, body, times=99)
    elif kind.answer is not None:
        status, body = kind.answer
        simulator.fail_next(CHAT, status, body, times=99)
    elif account is not None:
        simulator.accounts[account].fault = kind.fault
    else:
        for one in simulator.accounts.values():
            one.fault = kind.fault or None


@asynccontextmanager
async def upstream_of(kind: Kind, running: RunningSimulator) -> AsyncGenerator[RunningSimulator, None]:
    """Where the proxy is to look for Kiro."""
    match kind.host:
        case "closed":
            with closing(socket.socket()) as reserved:
                reserved.bind(("127.0.0.1", 0))
                yield RunningSimulator(f"http://127.0.0.1:{reserved.getsockname()[1]}", running.simulator)
        case "untrusted":
            async with trio.open_nursery() as nursery:
                context = loopback_certificate().server_context()
                listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
                nursery.start_soon(trio.serve_listeners, _handshake(context), listeners)
                yield RunningSimulator(f"https://127.0.0.1:{listeners[0].socket.getsockname()[1]}", running.simulator)
                nursery.cancel_scope.cancel()
        case _:
            yield running


def _handshake(context: Any) -> Any:
    async def handshake(stream: trio.SocketStream) -> None:
        secure = trio.SSLStream(stream, context, server_side=True)
        try:
            await secure.do_handshake()
        except trio.BrokenResourceError:
            await trio.aclose_forcefully(stream)

    return handshake


async def ask(proxy: Proxy, way: Way) -> httpx.Response:
    path, stream = PATHS[way]
    return await proxy.ask(f"<<SAY {TEXT}>>", path=path, stream=stream)


class RequestLines(logging.Handler):
    """The proxies' lines about their requests, by mode."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts: dict[str, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        found = re.search(r"mode=(\w+) attempts=(\d+)", record.getMessage())
        assert found
        self.attempts[found[1]] = int(found[2])


@contextmanager
def request_lines() -> Iterator[RequestLines]:
    log, lines = logging.getLogger("kiro_rs_py.serve.request_log"), RequestLines()
    level = log.level
    log.addHandler(lines)
    log.setLevel(logging.INFO)
    yield lines
    log.removeHandler(lines)
    log.setLevel(level)


@dataclass(frozen=True)
class Seen:
    """What came of one cell: the answer, the tries by the proxy's own count, and by the simulator's."""

    response: httpx.Response
    logged: int
    asked: int


_seen: dict[tuple[str, Way], Seen] = {}


async def seen(kind: Kind, way: Way, folder: Path) -> Seen:
    """A kind is played once, in all ways at the same time and each by itself: most of it is waiting."""
    if (kind.name, way) not in _seen:
        with request_lines() as lines:
            async with trio.open_nursery() as nursery:
                for each in WAYS:
                    make_folder(folder / each)
                    nursery.start_soon(play, kind, each, folder / each, lines)
    return _seen[kind.name, way]


def make_folder(folder: Path) -> None:
    folder.mkdir()


async def play(kind: Kind, way: Way, folder: Path, lines: RequestLines) -> None:
    async with open_simulator() as simulator:
        order(kind, simulator.simulator)
        credentials = [simulator.simulator.credential_json(expired=kind.refresh is not None)]
        async with (
            upstream_of(kind, simulator) as upstream,
            running_proxy(upstream, folder, credentials=credentials, **kind.settings) as proxy,
        ):
            response = await ask(proxy, way)
        asked = simulator.simulator.counts[CHAT]
    _seen[kind.name, way] = Seen(response, lines.attempts[MODES[way]], asked)


def check_status(kind: Kind, response: httpx.Response) -> None:
    assert response.status_code == kind.status
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {
        "type": "error",
        "error": {"type": kind.type, "message": kind.message},
        "request_id": response.headers["request-id"],
    }
    told = response.headers.get("retry-after")
    assert (told is None) == (kind.retry_after is None)
    if kind.retry_after is not None:
        # The pool adds up to a second or a quarter, so that nobody comes back in step.
        assert kind.retry_after <= int(told) <= kind.retry_after + 2
    assert response.headers.get("x-should-retry") == ("false" if kind.final else None)


def check_event(kind: Kind, response: httpx.Response) -> None:
    assert response.status_code == 200
    events = events_of(response.text)
    assert [event["type"] for event in events[-2:]] == ["content_block_stop", "error"]
    assert events[-1] == {
        "type": "error",
        "error": {"type": kind.type, "message": kind.message},
        "request_id": response.headers["request-id"],
    }
    assert text_of(events)
    assert TEXT.startswith(text_of(events))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_cell(kind: Kind, way: Way, tmp_path: Path) -> None:
    cell = await seen(kind, way, tmp_path)
    if kind.late and way == "stream":
        check_event(kind, cell.response)
    else:
        check_status(kind, cell.response)
    assert not [word for word in SECRETS if word in cell.response.text]
    assert cell.logged == kind.attempts
    assert cell.asked == (0 if kind.host else kind.attempts)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.host and not kind.late], ids=str)
async def test_with_a_second_account(kind: Kind, simulator: RunningSimulator, tmp_path: Path) -> None:
    kiro = simulator.simulator
    first, second = list(kiro.accounts)[:2]
    credentials = [kiro.credential_json(first, expired=kind.refresh is not None), kiro.credential_json(second)]
    order(kind, kiro, first)
    async with running_proxy(simulator, tmp_path, credentials=credentials, **kind.settings) as proxy:
        response = await ask(proxy, "plain")
    if kind.elsewhere:
        assert response.status_code == 200
        assert response.json()["content"] == [{"type": "text", "text": TEXT}]
    else:
        check_status(kind, response)
    # The healthy account is asked as soon as it is known that the first one cannot help.
    assert kiro.accounts[first].requests <= (2 if kind.type == "authentication_error" else 1)
    assert kiro.accounts[second].requests == kind.elsewhere


def test_the_page_is_true() -> None:
    """``python -m tests.e2e.error_kinds`` writes the table anew."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_table(page)
