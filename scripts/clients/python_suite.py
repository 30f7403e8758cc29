"""The tests that Anthropic's Python SDK ships in its source distribution, against our server (clients §2)."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from clients.bench import CheckFailed, Target, environment, pip_environment

FILES = (
    "tests/api_resources/test_messages.py",
    "tests/api_resources/test_models.py",
    "tests/api_resources/beta/test_messages.py",
    "tests/api_resources/beta/test_models.py",
)
NEEDS = (
    *("pytest", "pytest-asyncio", "pytest-xdist", "respx", "dirty-equals", "time-machine", "rich"),
    *("importlib-metadata", "inline-snapshot", "http-snapshot[httpx]==0.1.9"),
)

# The suite is written for a mock that answers every request. What cannot pass against a server with a mind of its own:
RETIRED = "asks for models that are long retired (claude-1.3, claude-2.1, …): 404, as Anthropic answers"
THREADS = "has a thread in its request, which is refused (400 thread_unsupported_request)"
PLACEHOLDER = "asks for a model whose id is the word model_id: 404"
CURSOR = "pages from models whose ids are the words after_id and before_id: 400"

NEVER = {
    "test_messages.py::test_deprecated_model_warning": RETIRED,
    "beta/test_messages.py::test_method_create_with_all_params_overload_1": THREADS,
    "beta/test_messages.py::test_method_create_with_all_params_overload_2": THREADS,
}
AS_SHIPPED = NEVER | {
    f"{folder}test_models.py::{test}": reason
    for folder in ("", "beta/")
    for test, reason in {
        "test_method_retrieve": PLACEHOLDER,
        "test_method_retrieve_with_all_params": PLACEHOLDER,
        "test_raw_response_retrieve": PLACEHOLDER,
        "test_streaming_response_retrieve": PLACEHOLDER,
        "test_method_list_with_all_params": CURSOR,
    }.items()
}
REAL_ID = "claude-opus-5-5"


def check_python_suite(version: str, target: Target) -> str:
    """Runs it as shipped, then with the id of a real model in place of the placeholders."""
    needs = (*NEEDS, f"anthropic[aiohttp]=={version}")
    python = pip_environment(target.cache, f"anthropic-suite-{version}", *needs)
    source = unpacked(python, version)
    with tempfile.TemporaryDirectory(prefix="check-client-") as folder:
        copy = Path(folder, "suite")
        shutil.copytree(source / "tests", copy / "tests")
        shutil.copy(source / "pyproject.toml", copy)
        conftest = copy / "tests" / "conftest.py"
        conftest.write_text(re.sub(r'^api_key = ".*"$', f'api_key = "{target.key}"', conftest.read_text(), flags=re.M))
        shipped = run_suite(python, copy, target, AS_SHIPPED)
        for name in FILES:
            text = (copy / name).read_text()
            for placeholder in ("model_id", "after_id", "before_id"):
                text = text.replace(f'{placeholder}="{placeholder}"', f'{placeholder}="{REAL_ID}"')
            (copy / name).write_text(text)
        meant = run_suite(python, copy, target, NEVER)
    return f"{shipped} pass as shipped, {meant} with real model ids"


def unpacked(python: Path, version: str) -> Path:
    """The folder of the source distribution, fetched once."""
    folder = python.parent.parent / "source"
    if not folder.exists():
        name = f"anthropic-{version}"
        with tempfile.TemporaryDirectory() as temporary:
            download = ["download", "-q", "--no-deps", "--no-binary", "anthropic", f"anthropic=={version}"]
            subprocess.run([str(python), "-m", "pip", *download, "-d", temporary], check=True)
            shutil.unpack_archive(Path(temporary, f"{name}.tar.gz"), temporary, filter="data")
            shutil.move(Path(temporary, name), folder)
    return folder


def run_suite(python: Path, folder: Path, target: Target, expected: dict[str, str]) -> str:
    """Returns "passed of all". Raises :class:`CheckFailed` if other tests fail than those expected to."""
    options = ["-n", "0", "-q", "-rfE", "--tb=line", "--show-capture=no", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [str(python), "-m", "pytest", *options, *FILES],
        cwd=folder,
        env=environment(folder, TEST_API_BASE_URL=target.base_url),
        capture_output=True,
        text=True,
        timeout=600,
    )
    failed = {
        f"{path}::{test}"
        for path, test in re.findall(
            r"^(?:FAILED|ERROR) tests/api_resources/(\S+\.py)(?:::\w+)?::(\w+)", done.stdout, re.M
        )
    }
    if failed != set(expected):
        wrong, fixed = sorted(failed - set(expected)), sorted(set(expected) - failed)
        raise CheckFailed(f"unexpected: failed {wrong}, passed {fixed}; {done.stdout[-1500:]}{done.stderr[-500:]}")
    numbers = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|errors?)", done.stdout)}
    return f"{numbers['passed']} of {sum(numbers.values())}"
