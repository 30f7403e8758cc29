"""KiroStream over a scripted link: batches, damage, ends, silence. With sockets it is tested in test_client."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from kiro_rs_py.codec.frame import event_frame, exception_frame
from kiro_rs_py.convert.events import AssistantText, ContextUsage, Fault, KiroEvent, Metadata
from kiro_rs_py.errors import (
    CodecError,
    ContextWindowFull,
    EmptyAnswer,
    Throttled,
    TruncatedStream,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from kiro_rs_py.upstream.attempts import OwnTally
from kiro_rs_py.upstream.http1 import ResponseReader
from kiro_rs_py.upstream.leases import Abandoned, Failed, Outcome, Succeeded
from kiro_rs_py.upstream.stream import MAX_ANSWER_BYTES, MAX_HELD_EVENTS, KiroStream
from kiro_rs_py.upstream.transport import ResponseBody
from tests.upstream.house import watched

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"
INITIAL = event_frame("initial-response", b"{}")
USAGE = event_frame("contextUsageEvent", b'{"contextUsagePercentage":3.5}')
FULL = event_frame("contextUsageEvent", b'{"contextUsagePercentage":100}')
METADATA = event_frame("metadataEvent", b'{"stopReason":"END_TURN"}')
REFUSED = event_frame("metadataEvent", b'{"stopReason":"CONTENT_FILTERED"}')
UNKNOWN = event_frame("somethingNewEvent", b"not even JSON")
BAD_JSON = event_frame("toolUseEvent", b"{")
THROTTLED = exception_frame("ThrottlingException", b'{"message":"slow down"}')


def text(content: str) -> bytes:
    return event_frame("assistantResponseEvent", b'{"content":"%b"}' % content.encode())


def damaged(frame: bytes) -> bytes:
    return frame[:-5] + b"?" + frame[-4:]


class ScriptedLink:
    """Gives ``pieces``, each after ``pause`` seconds, then the end, or silence."""

    def __init__(self, pieces: list[bytes], *, pause: float = 0.0, ends: bool = True) -> None:
        self._pieces = pieces
        self._pause = pause
        self._ends = ends
        self._closing = trio.Event()
        self.closed = False

    async def receive(self) -> bytes:
        if self._pieces:
            with trio.move_on_after(self._pause):
                await self._closing.wait()
        elif not self._ends:
            await self._closing.wait()
        if self.closed:
            raise trio.ClosedResourceError
        return self._pieces.pop(0) if self._pieces else b""

    async def send(self, data: bytes) -> None:
        raise AssertionError("nothing is sent here")

    def close(self) -> None:
        self.closed = True
        self._closing.set()


class Story:
    """A stream over ``pieces``, and the outcomes it reported."""

    def __init__(self, *pieces: bytes, pause: float = 0.0, ends: bool = True) -> None:
        self.outcomes: list[Outcome] = []
        self.link = ScriptedLink(list(pieces), pause=pause, ends=ends)
        reader = ResponseReader(b"POST")
        reader.receive_data(HEAD)
        body = ResponseBody(self.link, reader, b"", read_timeout=None, limit=None)
        self.tally = OwnTally()
        self.stream = KiroStream(
            body,
            self.outcomes.append,
            credential_id=7,
            upstream_request_id="up-1",
            idle_seconds=120.0,
            tally=self.tally,
        )

    async def events(self) -> list[list[KiroEvent]]:
        """All batches to the clean end."""
        batches = []
        while (batch := await self.stream.next_events()) is not None:
            batches.append(batch)
        return batches


async def test_one_read_is_one_batch_whatever_the_cut() -> None:
    tail = text("c")
    story = Story(INITIAL + text("a") + text("b") + tail[:20], tail[20:], UNKNOWN, METADATA + USAGE)
    assert await story.events() == [
        [AssistantText("a"), AssistantText("b")],
        [AssistantText("c")],
        [Metadata("END_TURN"), ContextUsage(3.5)],
    ]
    assert story.outcomes == [Succeeded()]
    assert story.link.closed
    assert await story.stream.next_events() is None


async def test_byte_by_byte() -> None:
    data = INITIAL + text("a") + METADATA
    story = Story(*(data[i : i + 1] for i in range(len(data))))
    assert await story.events() == [[AssistantText("a")], [Metadata("END_TURN")]]


async def test_start_holds_what_comes_before_the_first_word() -> None:
    story = Story(INITIAL, USAGE, text("a") + text("b"), METADATA)
    await story.stream.start()
    assert story.outcomes == []
    assert await story.events() == [
        [ContextUsage(3.5), AssistantText("a"), AssistantText("b")],
        [Metadata("END_TURN")],
    ]


@pytest.mark.parametrize("piece", [REFUSED, FULL])
async def test_a_wordless_end_on_purpose_is_an_answer(piece: bytes) -> None:
    story = Story(INITIAL, piece)
    await story.stream.start()
    assert len(await story.events()) == 1


@pytest.mark.parametrize("pieces", [[], [INITIAL], [INITIAL, METADATA + USAGE], [UNKNOWN]])
async def test_an_answer_without_content_is_none(pieces: list[bytes]) -> None:
    with pytest.raises(EmptyAnswer):
        await Story(*pieces).stream.start()


async def test_a_stream_of_nothing_but_usage_is_given_up() -> None:
    story = Story(USAGE * (MAX_HELD_EVENTS + 1), ends=False)
    with pytest.raises(EmptyAnswer):
        await story.stream.start()


@pytest.mark.parametrize(
    "piece, kind",
    [
        (THROTTLED, Throttled),
        (exception_frame("ContentLengthExceededException", b"{}"), ContextWindowFull),
        (USAGE + THROTTLED + text("a"), Throttled),
        (damaged(text("a")), CodecError),
        (BAD_JSON, CodecError),
        (text("a")[:30], TruncatedStream),
        (b"HTTP/1.1 200 OK, but no frames", CodecError),
    ],
)
async def test_failures_before_the_first_word(piece: bytes, kind: type[Exception]) -> None:
    story = Story(INITIAL, piece)
    with pytest.raises(kind):
        await story.stream.start()
    assert story.outcomes == []


async def test_good_events_come_before_the_damage_behind_them() -> None:
    for broken in (damaged(text("c")), BAD_JSON):
        story = Story(text("a") + text("b") + broken + text("d"))
        assert await story.stream.next_events() == [AssistantText("a"), AssistantText("b")]
        assert story.outcomes == []
        with pytest.raises(CodecError) as caught:
            await story.stream.next_events()
        assert story.outcomes == [Failed(caught.value)]
        with pytest.raises(CodecError):
            await story.stream.next_events()
        assert len(story.outcomes) == 1


async def test_an_end_inside_a_frame() -> None:
    story = Story(text("a"), text("b")[:30])
    assert await story.stream.next_events() == [AssistantText("a")]
    with pytest.raises(TruncatedStream):
        await story.stream.next_events()
    (outcome,) = story.outcomes
    assert isinstance(outcome, Failed)


async def test_a_fault_is_handed_on_and_settles_the_lease() -> None:
    story = Story(text("a") + THROTTLED, ends=False)
    await story.stream.start()
    batch = await story.stream.next_events()
    assert batch == [AssistantText("a"), Fault("ThrottlingException", "slow down")]
    (outcome,) = story.outcomes
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, Throttled)
    assert outcome.error.request_id == "up-1"
    assert story.link.closed


async def test_close_reports_once_and_wakes_the_reader() -> None:
    story = Story(text("a"), ends=False)
    await story.stream.next_events()
    async with trio.open_nursery() as nursery:

        async def reader() -> None:
            with pytest.raises(UpstreamUnavailable):
                await story.stream.next_events()

        nursery.start_soon(reader)
        await trio.testing.wait_all_tasks_blocked()
        story.stream.close(Abandoned())
    story.stream.close(Succeeded())
    assert story.outcomes == [Abandoned()]


async def test_a_silence_ends(autojump_clock: MockClock) -> None:
    story = Story(text("a"), ends=False)
    began = trio.current_time()
    async with watched(story.stream):
        assert await story.stream.next_events() == [AssistantText("a")]
        await trio.sleep(70)
        with pytest.raises(UpstreamTimeout):
            await story.stream.next_events()
    # It began to wait at 70.
    assert trio.current_time() - began == pytest.approx(190)
    (outcome,) = story.outcomes
    assert isinstance(outcome, Failed)


async def test_slow_streams_and_slow_clients_live(autojump_clock: MockClock) -> None:
    story = Story(*(text("a") for _ in range(10)), pause=100.0)
    async with watched(story.stream):
        count = 0
        while await story.stream.next_events() is not None:
            count += 1
            if count == 5:
                await trio.sleep(1000)
    assert count == 10
    assert story.outcomes == [Succeeded()]


async def test_an_endless_answer_is_cut() -> None:
    piece = text("a" * 2**20)
    story = Story(*[piece] * (MAX_ANSWER_BYTES // len(piece) + 1))
    with pytest.raises(UpstreamUnavailable, match="larger than 64 MiB"):
        await story.events()
    assert [type(outcome) for outcome in story.outcomes] == [Failed]
    assert story.link.closed


async def test_waiting_is_counted_and_nothing_else(autojump_clock: MockClock) -> None:
    story = Story(text("a"), text("b"), pause=2.0)
    assert await story.stream.next_events() == [AssistantText("a")]
    await trio.sleep(100)
    assert await story.stream.next_events() == [AssistantText("b")]
    assert story.tally.waited == pytest.approx(4.0)
