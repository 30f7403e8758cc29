"""All checks together; the whole command is in tests/cli/test_doctor.py."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiro_rs_py.cli.checks.examination import examine
from tests.cli.checks.settings import GOOD_KEY, bad, inputs_in, write

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def quiet(home: Path) -> Iterator[None]:
    """An empty home, and the logging level as it was."""
    logger = logging.getLogger("kiro_rs_py")
    level = logger.level
    yield
    logger.setLevel(level)


def test_an_unreadable_configuration_is_all_there_is_to_say(tmp_path: Path) -> None:
    write(tmp_path / "config.toml", "port = ")
    found = bad(examine(inputs_in(tmp_path), offline=True))
    assert [finding.level for finding in found] == ["error", "note"]
    assert "were not looked at" in found[1].message


def test_offline_nobody_is_asked(tmp_path: Path) -> None:
    write(tmp_path / "config.toml", f'api_key = "{GOOD_KEY}"\nport = 0\nupstream_url = "http://127.0.0.1:9"\n')
    found = bad(examine(inputs_in(tmp_path), offline=True))
    assert [(finding.level, finding.topic) for finding in found] == [
        ("error", "accounts"),
        ("note", "clients"),
        ("note", "network"),
        ("note", "clock"),
    ]


def test_hosts_are_asked_when_the_way_is_clear(tmp_path: Path) -> None:
    write(tmp_path / "config.toml", f'api_key = "{GOOD_KEY}"\nport = 0\nupstream_url = "http://127.0.0.1:9"\n')
    found = examine(inputs_in(tmp_path), offline=False)
    assert [finding.level for finding in found if finding.topic == "network"] == ["error"]
    found = examine(inputs_in(tmp_path, KIRO_RS_PROXY_URL="http://127.0.0.1:1/path"), offline=False)
    assert [finding.level for finding in found if finding.topic == "proxy"] == ["error"]
    assert "settings of the way out first" in str([f.fix for f in found if f.topic == "network"])


def test_an_account_with_an_impossible_region(tmp_path: Path) -> None:
    write(tmp_path / "config.toml", f'api_key = "{GOOD_KEY}"\nport = 0\n[models]\nalias = {{}}\n')
    write(
        tmp_path / "credentials.json",
        '[{"id": 1, "refreshToken": "%s", "profileArn": "arn:aws:codewhisperer:us-east-1:1:x"}]' % ("a" * 120),
    )
    found = examine(inputs_in(tmp_path), offline=True)
    assert [finding.level for finding in found if finding.topic == "accounts"] == ["ok"]
    assert not [finding for finding in found if finding.topic == "clients"]
