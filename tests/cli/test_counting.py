from __future__ import annotations

import json
from pathlib import Path

import pytest

from kiro_rs_py.cli.counting import print_count
from kiro_rs_py.convert.messages_request import parse_messages_request
from kiro_rs_py.convert.tokens import count_text, estimate_request
from kiro_rs_py.errors import InvalidRequest

REQUEST = {
    "model": "claude-sonnet-4-5",
    "system": "You answer in one short sentence.",
    "messages": [{"role": "user", "content": "How many legs does a spider have?"}],
    "tools": [{"name": "look", "description": "Looks at a thing.", "input_schema": {"type": "object"}}],
}
TOTAL = estimate_request(parse_messages_request(json.dumps(REQUEST).encode(), count_only=True)).total


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "request.json"
    path.write_text(json.dumps(REQUEST))
    return str(path)


def test_a_request(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_count(file=file)
    assert capsys.readouterr().out == f"{TOTAL}\n"


def test_another_model(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_count(file=file, model="claude-opus-5")
    assert capsys.readouterr().out == f"{TOTAL}\n"


def test_a_prompt_without_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "prompt.json"
    path.write_text(json.dumps({name: value for name, value in REQUEST.items() if name != "model"}))
    print_count(file=str(path))
    assert capsys.readouterr().out == f"{TOTAL}\n"
    path.write_bytes(b'\xef\xbb\xbf{"model":null,"messages":[{"role":"user","content":"name a \\"model\\": any"}]}')
    print_count(file=str(path))
    assert capsys.readouterr().out.strip().isdigit()


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "[" * 100_000])
def test_no_request(content: str, tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    path.write_text(content)
    with pytest.raises(InvalidRequest):
        print_count(file=str(path), model="claude-opus-5")


def test_a_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_count(text="one two three " * 20, as_json=True, breakdown=True)
    total = count_text("one two three " * 20)
    assert json.loads(capsys.readouterr().out) == {"input_tokens": total, "breakdown": {"text": total}}


def test_the_parts_add_up(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_count(file=file, breakdown=True)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["part", "tokens"]
    assert [name for name, _ in lines[1:]] == ["system", "text", "tools", "total"]
    numbers = [int(number) for _, number in lines[1:]]
    assert sum(numbers[:-1]) == numbers[-1] == TOTAL


def test_json(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_count(file=file, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"input_tokens": TOTAL}


def test_an_unreadable_file() -> None:
    with pytest.raises(InvalidRequest, match=r"no-such\.json cannot be read"):
        print_count(file="no-such.json")
