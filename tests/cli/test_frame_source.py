from __future__ import annotations

import base64
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from kiro_rs_py.cli.frame_source import read_frames, recognised
from kiro_rs_py.codec.frame import event_frame
from kiro_rs_py.errors import CodecError

DATA = event_frame("assistantResponseEvent", b'{"content":"  ab cd ef 0123"}') + event_frame("x", b"{}")


def xxd(data: bytes) -> str:
    rows = [data[start : start + 16] for start in range(0, len(data), 16)]
    return "".join(f"{16 * number:08x}: {row.hex(' ', 2):<39}  {shown(row)}\n" for number, row in enumerate(rows))


def hexdump(data: bytes) -> str:
    lines = []
    for start in range(0, len(data), 16):
        row = data[start : start + 16]
        lines.append(f"{start:08x}  {row[:8].hex(' ')}  {row[8:].hex(' '):<23}  |{shown(row)}|\n")
    return "".join([*lines, f"{len(data):08x}\n"])


def shown(row: bytes) -> str:
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
