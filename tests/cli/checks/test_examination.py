"""All checks together; the whole command is in tests/cli/test_doctor.py."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiro_rs_py.cli.checks.examination import check_configuration, examine
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


def test_a_good_one(tmp_path: Path) -> None:
    path = write(tmp_path / "config.toml", f'api_key = "{GOOD_KEY}"\n')
    found, settings = check_configuration(inputs_in(tmp_path))
    assert [finding.level for finding in found] == ["ok"]
    assert str(path) in found[0].message
    assert settings is not None


def test_none_at_all(tmp_path: Path) -> None:
    found, settings = check_configuration(inputs_in(tmp_path))
    assert settings is not None
    assert [finding.level for finding in bad(found)] == ["note", "error"]
    assert "api_key is missing" in found[1].message
    assert "config init" in found[1].fix


def test_every_mistake_is_a_line(tmp_path: Path) -> None:
    write(tmp_path / "config.json", '{"prot": 1, "region": "mars", "logFormat": "xml"}')
    found, settings = check_configuration(inputs_in(tmp_path))
    assert settings is None
    assert [finding.level for finding in bad(found)] == ["error"] * 3
    assert "did you mean" in found[0].message


def test_a_file_others_can_read(tmp_path: Path) -> None:
    path = write(tmp_path / "config.toml", f'api_key = "{GOOD_KEY}"\n', 0o644)
    found, _ = check_configuration(inputs_in(tmp_path))
    (finding,) = bad(found)
    assert (finding.level, finding.topic) == ("error", "permissions")
    assert finding.fix == f"Run `chmod 600 {path}`."


def test_what_cannot_serve(tmp_path: Path) -> None:
    write(tmp_path / "config.toml", 'api_key = "changeme"\nhost = "0.0.0.0"\n[models]\nalias = {}\n')
    found, _ = check_configuration(inputs_in(tmp_path, KIRO_RS_PROT="1"))
    levels = {finding.message.split()[0]: finding.level for finding in bad(found)}
    assert levels["api_key"] == "error"
    assert levels["The"] == "warning"
    assert [finding.level for finding in found if "models.alias" in finding.message] == ["error"]


def test_what_is_only_unwise(tmp_path: Path) -> None:
    write(tmp_path / "config.toml", f'api_key = "{GOOD_KEY}"\nadmin_api_key = "{GOOD_KEY}"\n')
    found, _ = check_configuration(inputs_in(tmp_path))
    assert [finding.level for finding in bad(found)] == ["warning"]
