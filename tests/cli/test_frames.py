from __future__ import annotations

import base64
import json
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from kiro_rs_py.cli.frames import (
    SHOWN_CHARACTERS,
    json_of,
    lines_of,
    printable,
    read_frames,
    recognised,
    summary_of,
    typed,
)
from kiro_rs_py.codec.frame import encode_frame, event_frame
from kiro_rs_py.codec.headers import Byte, HeaderValue, Int, Long, Short, Timestamp, Uuid
from kiro_rs_py.codec.inspection import inspect
from kiro_rs_py.errors import CodecError

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


DATA = event_frame("assistantResponseEvent", b'{"content":"  ab cd ef 0123"}') + event_frame("x", b"{}")


def xxd(data: bytes) -> str:
    rows = [data[start : start + 16] for start in range(0, len(data), 16)]
    return "".join(f"{16 * number:08x}: {row.hex(' ', 2):<39}  {shown_as(row)}\n" for number, row in enumerate(rows))


def hexdump(data: bytes) -> str:
    lines = []
    for start in range(0, len(data), 16):
        row = data[start : start + 16]
        lines.append(f"{start:08x}  {row[:8].hex(' ')}  {row[8:].hex(' '):<23}  |{shown_as(row)}|\n")
    return "".join([*lines, f"{len(data):08x}\n"])


def shown_as(row: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)


TEXTS = {
    "hex": DATA.hex(),
    "hex in groups": DATA.hex(" ", 4),
    "hex in upper case": DATA.hex().upper() + "\n",
    "xxd": xxd(DATA),
    "hexdump": hexdump(DATA),
    "base64": base64.b64encode(DATA).decode(),
    "base64 in lines": base64.encodebytes(DATA).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(DATA).decode().rstrip("="),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_texts_are_recognised(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert recognised(text.encode()) == DATA
    (tmp_path / "frames").write_text(text)
    assert read_frames(str(tmp_path / "frames")) == DATA
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(text.encode())))
    assert read_frames("-") == DATA


@pytest.mark.parametrize("name", ["hex", "base64", "xxd"])
def test_the_bytes_themselves_may_be_given(name: str) -> None:
    assert read_frames(TEXTS[name]) == DATA


@pytest.mark.parametrize("raw", [DATA, b"\xff\xfe", b"not an event stream at all!", xxd(DATA[16:])[10:].encode()])
def test_anything_else_is_taken_as_it_is(raw: bytes) -> None:
    assert recognised(raw) == raw


def test_a_dump_with_a_hole_is_none() -> None:
    first, _, *rest = xxd(DATA).splitlines()
    assert recognised("\n".join([first, *rest]).encode()).startswith(b"00000000: ")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("answer", "answer cannot be read: No such file"),
        ("deadbeef", "deadbeef cannot be read"),
        (".", ". cannot be read: Is a directory"),
        ("a\0b", "no file has such a name"),
        ("x y " * 200, "… cannot be read: File name too long. Name a file"),
    ],
)
def test_what_cannot_be_read(source: str, words: str) -> None:
    with pytest.raises(CodecError) as caught:
        read_frames(source)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 250
