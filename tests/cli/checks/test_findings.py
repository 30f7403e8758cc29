from __future__ import annotations

import pytest

from kiro_rs_py.cli.checks.findings import Finding, finding_of


@pytest.mark.parametrize(
    ("told", "message", "fix"),
    [
        ("Port 80 is in use. Choose another with --port.", "Port 80 is in use.", "Choose another with --port."),
        ("It is so. `kiro-rs-py login` helps. Or wait.", "It is so.", "`kiro-rs-py login` helps. Or wait."),
        ("config.toml: port must be a number.", "config.toml: port must be a number.", "Correct it."),
        ("Version 1.2 is old", "Version 1.2 is old", "Correct it."),
    ],
)
def test_the_last_sentence_is_the_remedy(told: str, message: str, fix: str) -> None:
    assert finding_of("error", "port", told, "Correct it.") == Finding("error", "port", message, fix)


def test_as_json() -> None:
    assert Finding("ok", "port", "Free.").to_json() == {"level": "ok", "topic": "port", "message": "Free.", "fix": None}
