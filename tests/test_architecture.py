"""The rules of the house, read from the sources: arrows between rooms, sizes, names, a test file for each module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "kiro_rs_py"
TESTS = ROOT / "tests"
SOURCES = sorted(PACKAGE.rglob("*.py"))

LONGEST_MODULE = 500
LONGEST_FUNCTION = 60

BANNED_NAMES = {"utils", "util", "helpers", "helper", "manager", "service", "provider", "processor", "context", "info"}
BANNED_NAMES |= {"data", "common", "misc", "base", "core", "types"}

# cli → serve → upstream → convert → codec → errors, with config beside them. A room may import those it names.
ARROWS: dict[str, set[str]] = {
    "errors": set(),
    "codec": {"errors"},
    "convert": {"codec", "errors"},
    "config": {"errors"},
    "upstream": {"config", "convert", "codec", "errors"},
    "serve": {"config", "upstream", "convert", "codec", "errors"},
    "simulator": {"convert", "codec", "errors"},
    "cli": {"serve", "simulator", "config", "upstream", "convert", "codec", "errors"},
}

# Of convert the simulator knows what both sides of the wire share, never how the proxy converts.
SIMULATOR_KNOWS = {
    "kiro_rs_py.convert.kiro",
    "kiro_rs_py.convert.anthropic",
    "kiro_rs_py.convert.tokens",
}

# Meaning and bytes are the same at any time and on any machine.
IMPURE = {"trio", "httpx", "logging", "os", "random", "secrets", "time", "socket", "subprocess", "threading", "pathlib"}

ONLY_IN = {"httpx": {"upstream"}, "hypercorn": {"serve", "simulator"}, "typer": {"cli"}, "rich": {"cli"}}


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else path.stem


def imports_of(path: Path) -> Iterator[str]:
    """Every module a file imports, wherever in it; ``from a import b`` gives a.b too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def our_modules(path: Path) -> set[str]:
    """The imported modules of ours, as dotted names of files or packages that exist."""
    found = set()
    for name in imports_of(path):
        relative = Path(*name.split("."))
        if name.startswith("kiro_rs_py.") and (
            (ROOT / relative).with_suffix(".py").exists() or (ROOT / relative / "__init__.py").exists()
        ):
            found.add(name)
    return found


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_arrows(path: Path) -> None:
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return
    used = {name.split(".")[1] for name in our_modules(path)}
    assert used - {room} <= ARROWS[room]


@pytest.mark.parametrize("path", [path for path in SOURCES if room_of(path) == "simulator"], ids=named)
def test_the_simulator_does_not_check_the_proxy_with_the_proxy(path: Path) -> None:
    assert {name for name in our_modules(path) if name.startswith("kiro_rs_py.convert.")} <= SIMULATOR_KNOWS


@pytest.mark.parametrize("path", [path for path in SOURCES if room_of(path) in ("codec", "convert")], ids=named)
def test_codec_and_convert_are_pure(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports_of(path)} & IMPURE
    clocks = {"now", "today", "utcnow"}
    called = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert not [f.attr for f in called if isinstance(f, ast.Attribute) and f.attr in clocks]


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_libraries_stay_in_their_rooms(path: Path) -> None:
    outside = {name.split(".")[0] for name in imports_of(path)}
    for library, rooms in ONLY_IN.items():
        assert library not in outside or room_of(path) in rooms


@pytest.mark.parametrize("path", [path for path in SOURCES if room_of(path) != "cli"], ids=named)
def test_only_the_command_line_prints_and_reads_the_environment(path: Path) -> None:
    if path.parent.name == "simulator" and path.stem == "server":
        return  # it has a main() of its own, for tests in other languages
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", f"line {node.lineno}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            assert node.attr not in ("environ", "getenv"), f"line {node.lineno}"


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_sizes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_MODULE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= LONGEST_FUNCTION, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_names(path: Path) -> None:
    assert not BANNED_NAMES & {path.stem, *path.relative_to(PACKAGE).parts[:-1]}


@pytest.mark.parametrize("path", [path for path in SOURCES if not path.stem.startswith("__")], ids=named)
def test_every_module_has_its_test_file(path: Path) -> None:
    relative = path.relative_to(PACKAGE)
    assert (TESTS / relative.parent / f"test_{path.name}").exists()


@pytest.mark.parametrize("path", [path for path in SOURCES if path.stem != "__main__"], ids=named)
def test_every_module_says_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not text.strip() or ast.get_docstring(ast.parse(text))
