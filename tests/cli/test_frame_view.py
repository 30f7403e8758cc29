from __future__ import annotations

import json

import pytest

from kiro_rs_py.cli.frame_view import SHOWN_CHARACTERS, json_of, lines_of, printable, summary_of, typed
from kiro_rs_py.codec.frame import encode_frame, event_frame
from kiro_rs_py.codec.headers import Byte, HeaderValue, Int, Long, Short, Timestamp, Uuid
from kiro_rs_py.codec.inspection import inspect

UUID = Uuid(bytes(range(16)))


def shown(data: bytes) -> list[str]:
    [piece] = inspect(data)
    return list(lines_of(1, piece))


def test_a_good_frame() -> None:
    assert shown(event_frame("assistantResponseEvent", '{"content":"Grüße"}'.encode())) == [
        "frame 1: byte 0, 129 bytes, checksums right",
        "  :event-type      string    assistantResponseEvent",
        "  :content-type    string    application/json",
        "  :message-type    string    event",
        "  payload: 21 bytes, JSON",
        "    {",
        '      "content": "Grüße"',
        "    }",
    ]


def test_damage_is_marked() -> None:
    data = event_frame("x", b"text")
    assert shown(data[:-1] + b"?")[1].startswith("! its checksum is 0x")
    assert shown(data[:-1])[1] == f"! cut off after {len(data) - 1} of {len(data)} bytes"
    assert shown(b"\xff" * 20)[0] == "no frame: byte 0, 20 bytes, damaged"


def test_payloads() -> None:
    assert shown(encode_frame({}, b""))[-1] == "  no payload"
    assert shown(encode_frame({}, b"\xff" * 33))[1:] == [
        "  payload: 33 bytes, binary",
        "    " + "ff " * 31 + "ff",
        "    ff",
    ]
    assert shown(encode_frame({}, b"slow\ndown"))[1:] == ["  payload: 9 bytes, text", "    slow", "    down"]
    long = shown(encode_frame({}, b"x" * (SHOWN_CHARACTERS + 5)))
    assert long[-1] == "    … 5 more characters"


@pytest.mark.parametrize(
    ("value", "kind", "as_json"),
    [
        (True, "bool", True),
        ("a", "string", "a"),
        (b"\xff", "bytes", "/w=="),
        (Byte(-1), "byte", -1),
        (Short(2), "short", 2),
        (Int(3), "int", 3),
        (Long(4), "long", 4),
        (Timestamp(5), "timestamp", 5),
        (UUID, "uuid", "00010203-0405-0607-0809-0a0b0c0d0e0f"),
    ],
)
def test_header_values(value: HeaderValue, kind: str, as_json: object) -> None:
    assert typed(value) == (kind, as_json)
    assert f"  a                {kind:<10}{as_json}" in shown(encode_frame({"a": value}, b""))


def test_nothing_reaches_the_terminal_that_could_move_its_cursor() -> None:
    lines = shown(encode_frame({"a\x1b[2J": "\x9bm"}, b"\x1b]0;title\x07 \xe2\x80\xae"))
    assert all(line.isprintable() for line in lines)
    assert printable("\ud800") == "\\ud800"


def test_summary() -> None:
    good, bad = event_frame("x", b""), b"?" * 20
    assert summary_of([]) == "0 frames, 0 bytes, no damage"
    assert summary_of(list(inspect(good))) == f"1 frame, {len(good)} bytes, no damage"
    assert summary_of(list(inspect(good + bad))) == f"1 frame, {len(good) + 20} bytes, damage in 1 place"
    assert summary_of(list(inspect(bad + good + bad)))[-18:] == "damage in 2 places"


def test_json() -> None:
    data = encode_frame({"a": Byte(1)}, b'{"b":[]}')
    [piece] = inspect(data)
    assert piece.message is not None
    document = json_of(piece)
    assert json.loads(json.dumps(document)) == {
        "offset": 0,
        "length": len(data),
        "is_frame": True,
        "problems": [],
        "checksums": {
            "prelude": piece.prelude,
            "message": {"sent": piece.message.sent, "computed": piece.message.computed},
        },
        "headers": {"a": {"type": "byte", "value": 1}},
        "payload": {"json": {"b": []}},
    }
    [cut] = inspect(data[:-2])
    assert json_of(cut)["checksums"] == {"prelude": piece.prelude}
    assert [json_of(piece)["payload"] for piece in inspect(encode_frame({}, b"a b") + encode_frame({}, b"\xff"))] == [
        {"text": "a b"},
        {"base64": "/w=="},
    ]
