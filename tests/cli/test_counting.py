from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kiro_rs_py.cli.counting import calibration_for, print_count
from kiro_rs_py.config.files import beside
from kiro_rs_py.convert.calibration import Calibration
from kiro_rs_py.convert.discovered import DiscoveredModel
from kiro_rs_py.convert.messages_request import parse_messages_request
from kiro_rs_py.convert.tokens import count_text, estimate_request
from kiro_rs_py.errors import InvalidRequest
from kiro_rs_py.upstream.state import ListedModels, State, StateStore
from tests.cli.conftest import RunCli

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
    with pytest.raises(InvalidRequest, match=rf"^{path}: .*--text\.$"):
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


LEARNT = Calibration()
for _ in range(5):
    LEARNT = LEARNT.learnt(10_000, 20_000)


@pytest.fixture
def credentials(home: Path) -> Path:
    """A credentials file where it is found, with a state beside it that knows one model's tokens."""

    def change(state: State) -> None:
        state.calibrations["CLAUDE_SONNET_4_5_20250929_V1_0"] = LEARNT

    path = home / "work" / "credentials.json"
    path.write_text("[]")
    StateStore.beside(path).update_now(change)
    return path


@pytest.mark.usefixtures("credentials")
def test_names_of_the_same_model() -> None:
    for name in ("claude-sonnet-4-5", "claude-sonnet-4-5-thinking[1m]", "claude-sonnet-4-5-20250929"):
        assert calibration_for(name) == LEARNT
    assert calibration_for("claude-opus-5") == calibration_for("llama-3") == Calibration()


def test_files_named_on_the_command_line(credentials: Path, home: Path) -> None:
    elsewhere = home / "elsewhere"
    elsewhere.mkdir()
    config = elsewhere / "config.toml"
    config.write_text('[models]\naliases = { mine = "claude-sonnet-4-5" }')
    assert calibration_for("mine", config=config) == Calibration()
    assert calibration_for("mine", config=config, credentials=credentials) == LEARNT


def test_files_named_in_the_environment(credentials: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    assert calibration_for("claude-sonnet-4-5") == Calibration()
    monkeypatch.setenv("KIRO_RS_CREDENTIALS_PATH", str(credentials))
    assert calibration_for("claude-sonnet-4-5") == LEARNT


def test_files_named_in_a_configuration(credentials: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "config.toml").write_text(f"credentials_path = '{credentials}'")
    monkeypatch.chdir(home)
    assert calibration_for("claude-sonnet-4-5") == LEARNT


@pytest.mark.parametrize("content", ["", "[", "calibrations = 5", '[calibrations."x"]\nsamples = 1'])
def test_a_state_without_anything_of_use(content: str, credentials: Path) -> None:
    beside(credentials, "state").write_text(content)
    assert calibration_for("claude-sonnet-4-5") == Calibration()


@pytest.mark.parametrize("content", ["nonsense = 1", "[models]\nalias = {}"])
@pytest.mark.usefixtures("credentials")
def test_counting_does_not_mind_a_broken_configuration(content: str, home: Path) -> None:
    (home / "work" / "config.toml").write_text(content)
    assert calibration_for("claude-sonnet-4-5") == Calibration()


@pytest.mark.usefixtures("credentials")
def test_requests_are_counted_as_learnt(cli: RunCli, home: Path) -> None:
    path = home / "r.json"
    path.write_text(json.dumps(REQUEST))
    total = LEARNT.apply(TOTAL)
    for via_typer in ([], ["--log-level", "info"]):
        assert cli("count-tokens", str(path), *via_typer).out == f"{total}\n"
        lines = cli("count-tokens", str(path), "--breakdown", *via_typer).out.splitlines()
        assert lines[-2].split()[:4] == ["learnt", "from", "5", "answers"]
        assert lines[-2].split()[-1] == f"+{total - TOTAL}"
        assert lines[-1].split() == ["total", str(total)]
        document = json.loads(cli("count-tokens", str(path), "--breakdown", "--json", *via_typer).out)
        assert document["input_tokens"] == total
        assert document["learnt"] == {
            "ratio": round(LEARNT.ratio, 4),
            "overhead": LEARNT.overhead,
            "samples": 5,
            "tokens": total - TOTAL,
        }
    assert cli("count-tokens", str(path), "--model", "claude-opus-5").out == f"{TOTAL}\n"
    assert "learnt" not in cli("count-tokens", str(path), "--breakdown", "--model", "claude-opus-5").out


def test_models_that_a_server_was_told_of(cli: RunCli, credentials: Path) -> None:
    entry = {"id": 1, "kiroApiKey": "ksk_1", "authMethod": "api_key"}
    credentials.write_text(json.dumps([entry]))

    def change(state: State) -> None:
        listed = (DiscoveredModel("glm-7", "GLM 7", 400_000, rate=0.5), DiscoveredModel("auto"))
        state.models[1] = ListedModels(datetime.now(UTC), listed)

    StateStore.beside(credentials).update_now(change)
    entries = {entry["id"]: entry for entry in json.loads(cli("models", "--json").out)}
    assert (entries["claude-glm-7"]["context_window"], entries["claude-glm-7"]["rate_multiplier"]) == (400_000, 0.5)
    assert "claude-opus-5" not in entries
    credentials.write_text("{")
    assert "claude-opus-5 " in cli("models").out


def test_counting_imports_nothing_heavy(credentials: Path) -> None:
    code = (
        "import sys, kiro_rs_py.cli.counting as l; l.calibration_for('claude-sonnet-4-5');"
        "print(sorted({'trio', 'httpx', 'typer', 'tomli_w'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
