"""The documentation says what the program does: settings, commands, routes, errors, links, the demo's output."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from kiro_rs_py import errors
from kiro_rs_py.cli.app import app
from kiro_rs_py.cli.outcome import exit_code_of
from kiro_rs_py.config.keys import GROUPS, KEYS, default_of
from kiro_rs_py.errors import KiroError
from kiro_rs_py.serve.errors import answer_of
from kiro_rs_py.serve.run import RELOADABLE
from tests.cli.running import serving
from tests.documented_routes import admin_endpoints, served_routes
from tests.packaging.commands import is_command_line
from tests.serve.test_errors import SAMPLES, ours

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
READ_BY_PEOPLE = [path for path in (ROOT / "packaging").rglob("*") if path.is_file()] + PAGES

# Defaults that are found out, not fixed; the text beside them says how.
FOUND_OUT = {"credentials_path", "system_version"}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every table row."""
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith("|-"):
            yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def code(cell: str) -> list[str]:
    """What stands between backticks in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def blocks(text: str, *languages: str) -> Iterator[str]:
    """The content of fenced blocks in one of the languages."""
    for language, content in re.findall(r"^```([a-z]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if language in languages:
            yield content


# --- settings -----------------------------------------------------------------------------------------------------


def documented_settings() -> dict[str, tuple[str, str, str, str]]:
    """Key → its section, default, meaning and when a change takes effect."""
    found: dict[str, tuple[str, str, str, str]] = {}
    for part in re.split(r"^## ", (DOCS / "configuration.md").read_text(), flags=re.MULTILINE)[1:]:
        for cells in rows(part):
            if len(cells) == 4 and code(cells[0]):
                (name,) = code(cells[0])
                assert name not in found
                found[name] = (part.partition("\n")[0], cells[1], cells[2], cells[3])
    return found


def written_default(name: str) -> str:
    default = default_of(name)
    if name in FOUND_OUT:
        return "see text"
    if default is None:
        return "unset"
    return f"`{json.dumps(list(default) if isinstance(default, tuple) else default)}`"


def test_every_setting_is_documented_with_its_default() -> None:
    documented = documented_settings()
    expected = {key.name: (title, written_default(key.name)) for title, keys in GROUPS.items() for key in keys}
    assert {name: found[:2] for name, found in documented.items()} == expected


def test_secrets_and_what_a_reload_changes_are_marked() -> None:
    documented = documented_settings()
    assert {name for name, found in documented.items() if found[2].startswith("Secret.")} == {
        key.name for key in KEYS.values() if key.secret
    }
    assert {name for name, found in documented.items() if found[3] == "reload"} == RELOADABLE
    assert {found[3] for found in documented.values()} == {"reload", "restart"}


def test_the_readme_names_defaults_as_they_are() -> None:
    table = [cells for cells in rows(README.read_text()) if len(cells) == 3 and set(code(cells[0])) & set(KEYS)]
    assert len(table) >= 10
    for cells in table:
        names = code(cells[0])
        if set(names) & FOUND_OUT:
            continue
        wanted = [written_default(name) for name in names]
        assert cells[1] == ", ".join(wanted), names


# --- commands -----------------------------------------------------------------------------------------------------


def test_the_cli_reference_is_what_help_says() -> None:
    script = ROOT / "scripts" / "write_cli_reference.py"
    ended = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_readme_lists_all_commands() -> None:
    listed = {}
    for cells in rows(README.read_text()):
        if len(cells) == 2 and code(cells[0]):
            name, *children = code(cells[0])
            listed[name] = set(children)
    commands = getattr(typer.main.get_command(app), "commands", {})
    assert listed == {name: set(getattr(command, "commands", {})) for name, command in commands.items()}


def command_lines(text: str) -> Iterator[str]:
    """Calls of the program in shell blocks and between backticks: from its name to the end of the command."""
    lines = [line for block in blocks(text, "bash", "") for line in block.splitlines()]
    lines += re.findall(r"`([^`\n]*kiro-rs-py [^`\n]*)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S))
    for line in lines:
        # A word in lower case behind the name is a command, or at least meant as one.
        for found in re.finditer(r"(?:^|(?<=[\s/]))kiro-rs-py (?=[a-z])(?!kiro-rs-py)[^|&;]*", line):
            yield found[0]


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "cli.md"], ids=named)
def test_commands_in_the_text_exist(page: Path) -> None:
    for line in command_lines(page.read_text()):
        assert is_command_line(app, shlex.split(line, comments=True)), line


def test_the_readme_has_commands_to_check() -> None:
    assert len(list(command_lines(README.read_text()))) >= 5


def without_chance(text: str) -> str:
    """The demo's announcement without what is new at each start: port and keys."""
    return re.sub(r"\b([a-z]+)-demo-[\w-]{32}", r"\1-demo-KEY", re.sub(r"127\.0\.0\.1:\d+", "HOST", text))


def test_the_readme_shows_the_demos_real_output(tmp_path: Path) -> None:
    (shown,) = re.findall(r"<!-- demo output -->\n```text\n(.*?)```", README.read_text(), re.DOTALL)
    with serving("--demo", "--port", "0", cwd=tmp_path) as served:
        assert without_chance(shown) == without_chance(served.told)


# --- routes and errors --------------------------------------------------------------------------------------------


def test_every_route_is_documented() -> None:
    shown = code("\n".join(cells[0] for cells in rows((DOCS / "http-api.md").read_text())))
    paths = {word.removesuffix("…").rstrip("/") or "/" for words in shown for word in words.split() if "/" in word}
    assert not [route for route in served_routes() if route not in paths]


def test_every_endpoint_of_the_admin_api_is_documented() -> None:
    text = (DOCS / "admin.md").read_text()
    assert not [path for _, path in admin_endpoints() if f"/{path}".replace("{name}", "{id}") not in text]


def error_table() -> dict[str, list[str]]:
    """Error's name → the other cells of its row."""
    names = {kind.__name__ for kind in ours()}
    found: dict[str, list[str]] = {}
    for cells in rows((DOCS / "troubleshooting.md").read_text()):
        if len(cells) == 4 and set(code(cells[0])) & names:
            (name,) = code(cells[0])
            assert name not in found
            found[name] = cells[1:]
    return found


@pytest.mark.parametrize("kind", ours(), ids=lambda kind: kind.__name__)
def test_every_error_has_cause_and_remedy(kind: type[KiroError]) -> None:
    number, cause, remedy = error_table()[kind.__name__]
    assert cause.endswith(".")
    assert remedy.endswith(".")
    if kind in SAMPLES:
        # That of nobody being left is its cause's, if it has one.
        assert number.endswith(str(answer_of(SAMPLES[kind]).status))
    else:
        assert number == str(int(exit_code_of(of_the_command_line(kind))))


def of_the_command_line(kind: type[KiroError]) -> KiroError:
    if kind is errors.ConfigError:
        return errors.ConfigError(["…"])
    if kind is errors.LoginFailed:
        return errors.LoginFailed("…", code="…")
    return kind("…")


# --- everything ---------------------------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """The anchors that headings get, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(text: str) -> list[str]:
    """Targets of links and pictures outside code."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page.read_text()):
        target, _, anchor = link.partition("#")
        if ":" in target:
            assert target.startswith("https://"), link
            continue
        file = page.parent / target if target else page
        assert file.exists(), link
        assert not anchor or anchor in anchors(file.read_text()), link


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_files_named_in_the_text_exist(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    roots = "kiro_rs_py|tests|scripts|packaging|benchmarks|docs"
    for path in re.findall(rf"`((?:{roots})/[\w./-]+)`", prose):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("path", READ_BY_PEOPLE, ids=named)
def test_nothing_names_this_machine(path: Path) -> None:
    text = path.read_text()
    assert str(ROOT) not in text
    assert f"{Path.home()}/" not in text
    assert not re.search(r"/(?:home|Users)/(?!(?:me|you)\b)\w+", text)


def test_every_page_can_be_reached_from_the_readme() -> None:
    linked = {(README.parent / link.partition("#")[0]).resolve() for link in links(README.read_text())}
    assert {page.resolve() for page in DOCS.glob("*.md")} <= linked
