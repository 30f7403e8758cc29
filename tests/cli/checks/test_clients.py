from __future__ import annotations

from pathlib import Path

import pytest

from kiro_rs_py.cli.checks.clients import check_clients, is_here
from kiro_rs_py.cli.checks.findings import Finding
from kiro_rs_py.cli.claude_code import ClaudeSettings
from kiro_rs_py.config import Config
from kiro_rs_py.config.access_keys import hashed
from kiro_rs_py.convert.models import ModelCatalog
from kiro_rs_py.serve.client_keys import new_client_key, utc_now
from kiro_rs_py.serve.key_file import KeyFile
from tests.cli.checks.settings import GOOD_KEY, bad

CONFIG = Config(api_key=GOOD_KEY)
HERE = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:8080", "ANTHROPIC_AUTH_TOKEN": GOOD_KEY}
FILE = Path("settings.json")


def check(environ: dict[str, str], *files: ClaudeSettings) -> list[Finding]:
    found = check_clients(CONFIG, environ, files, ModelCatalog())
    bad(found)
    for finding in found:
        assert GOOD_KEY not in finding.message + finding.fix
    return found


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ANTHROPIC_BASE_URL": "http://localhost:8080/"},
        {"ANTHROPIC_BASE_URL": "http://localhost:8080/cc"},
        {"ANTHROPIC_API_KEY": GOOD_KEY},
        {"CLAUDE_CODE_USE_BEDROCK": "0"},
        {"ANTHROPIC_MODEL": "opusplan", "ANTHROPIC_DEFAULT_HAIKU_MODEL": "claude-haiku-4-5"},
        {"HTTPS_PROXY": "http://proxy:3128", "no_proxy": "localhost, 127.0.0.1"},
    ],
)
def test_what_leads_here(changes: dict[str, str]) -> None:
    assert [finding.level for finding in check(HERE | changes)] == ["ok"]


def test_a_hashed_key_and_created_ones(tmp_path: Path) -> None:
    key, secret = new_client_key("laptop", utc_now())
    file = KeyFile.beside(tmp_path / "credentials.json")
    file.update(lambda keys: keys.update({key.id: key}))
    config = Config(api_key=hashed(GOOD_KEY), credentials_path=tmp_path / "credentials.json")

    def level(sent: str) -> str:
        [finding] = check_clients(config, HERE | {"ANTHROPIC_AUTH_TOKEN": sent}, (), ModelCatalog())
        return finding.level

    assert (level(GOOD_KEY), level(secret), level("sk-other"), level(config.api_key)) == ("ok", "ok", "error", "error")
    file.path.write_text("damaged")
    assert (level(GOOD_KEY), level(secret)) == ("ok", "error")


def test_nothing_leads_anywhere() -> None:
    (finding,) = check({})
    assert finding.level == "note"
    assert "kiro-rs-py run" in finding.fix


@pytest.mark.parametrize(
    ("changes", "level", "words", "fix"),
    [
        ({"ANTHROPIC_BASE_URL": "http://127.0.0.1:8080/v1"}, "error", "clients add /v1", "=http://127.0.0.1:8080`"),
        ({"ANTHROPIC_BASE_URL": "https://me:pass@x.example"}, "error", "********@x.example, which is not", "export"),
        ({"ANTHROPIC_BASE_URL": "http://[bad"}, "error", "something that is no URL", "export"),
        ({"ANTHROPIC_BASE_URL": "http://127.0.0.1:9000"}, "error", "not this proxy", "export"),
        ({"ANTHROPIC_AUTH_TOKEN": ""}, "error", "no key is set", "export ANTHROPIC_AUTH_TOKEN="),
        ({"ANTHROPIC_AUTH_TOKEN": "sk-other"}, "error", "not this proxy's api_key", "YOUR_API_KEY"),
        ({"ANTHROPIC_API_KEY": "sk-ant-real"}, "warning", "beside the right one", "`unset ANTHROPIC_API_KEY`"),
        ({"CLAUDE_CODE_USE_BEDROCK": "1"}, "error", "goes to Amazon Bedrock", "`unset CLAUDE_CODE_USE_BEDROCK`"),
        ({"CLAUDE_CODE_USE_VERTEX": "true"}, "error", "Vertex", "unset"),
        ({"ANTHROPIC_MODEL": "us.anthropic.claude-v2:1!"}, "warning", "does not know", "kiro-rs-py models"),
        ({"HTTP_PROXY": "http://proxy:3128"}, "warning", "look for this machine through it", "NO_PROXY"),
    ],
)
def test_the_environment(changes: dict[str, str], level: str, words: str, fix: str) -> None:
    finding = bad(check(HERE | changes))[0]
    assert (finding.level, finding.topic) == (level, "clients")
    assert words in finding.message
    assert fix in finding.fix


def test_a_settings_file_wins_over_the_environment() -> None:
    elsewhere = ClaudeSettings(FILE, {"ANTHROPIC_BASE_URL": "https://api.anthropic.com"})
    (finding,) = bad(check(HERE, elsewhere))
    assert finding.message.startswith("settings.json sets ANTHROPIC_BASE_URL to https://api.anthropic.com")
    assert finding.fix == 'Set "ANTHROPIC_BASE_URL" to "http://127.0.0.1:8080" there.'
    other_key = ClaudeSettings(FILE, {"ANTHROPIC_AUTH_TOKEN": "sk-other"})
    (finding,) = bad(check(HERE, other_key))
    assert finding.message == "settings.json sets ANTHROPIC_AUTH_TOKEN, but it is not this proxy's api_key."
    cloud = ClaudeSettings(FILE, {"CLAUDE_CODE_USE_FOUNDRY": "1"})
    assert bad(check(HERE, cloud))[0].fix == 'Remove "CLAUDE_CODE_USE_FOUNDRY" there.'
    assert [finding.level for finding in check({}, ClaudeSettings(FILE, HERE))] == ["ok"]


def test_other_things_in_settings_files() -> None:
    found = check(HERE, ClaudeSettings(FILE, has_key_helper=True), ClaudeSettings(FILE, problem="is not valid JSON"))
    assert [finding.level for finding in found] == ["warning"]
    without_key = {"ANTHROPIC_BASE_URL": HERE["ANTHROPIC_BASE_URL"]}
    found = check(without_key, ClaudeSettings(FILE, has_key_helper=True))
    assert [finding.level for finding in found] == ["note"]
    assert "apiKeyHelper" in found[0].message


@pytest.mark.parametrize(
    ("url", "host", "here"),
    [
        ("http://[::1]:8080", "localhost", True),
        ("http://127.0.0.1:8080", "0.0.0.0", True),
        ("http://192.168.1.2:8080", "192.168.1.2", True),
        ("http://127.0.0.1:8080", "192.168.1.2", False),
        ("https://127.0.0.1", "127.0.0.1", False),
        ("http://127.0.0.1:x", "127.0.0.1", False),
    ],
)
def test_one_address_has_many_names(url: str, host: str, here: bool) -> None:
    assert is_here(url, Config(host=host)) is here
