from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kiro_rs_py.config.files import Folders
from kiro_rs_py.config.reader import SYSTEM_VERSIONS, Effective, Inputs, read_config
from kiro_rs_py.errors import ConfigError

Read = Callable[..., Effective]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a configuration made of a JSON object or TOML text, flags and environment variables."""

    def run(
        content: dict[str, object] | str | None = None,
        *,
        credentials: Path | None = None,
        flags: dict[str, object] | None = None,
        **environ: str,
    ) -> Effective:
        path = None
        if content is not None:
            path = tmp_path / ("config.toml" if isinstance(content, str) else "config.json")
            path.write_text(content if isinstance(content, str) else json.dumps(content))
            path.chmod(0o600)
        folders = Folders(tmp_path, tmp_path / "user-config", tmp_path / "user-data")
        return read_config(
            Inputs(folders=folders, config=path, credentials=credentials, flags=flags or {}, environ=environ)
        )

    return run


def problems_of(read: Read, *args: object, **kwargs: object) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        read(*args, **kwargs)
    return list(raised.value.problems)


def test_nothing_given_is_all_defaults(read: Read, tmp_path: Path) -> None:
    effective = read()
    assert effective.path is None
    assert effective.config.port == 8080
    assert effective.config.credentials_path == tmp_path / "user-data" / "credentials.json"
    assert effective.config.system_version in SYSTEM_VERSIONS
    assert set(effective.sources.values()) == {"default", "default (one of two, new at each start)"}
    assert effective.warnings == ()


@pytest.mark.parametrize("blank", ["", "  ", " \t\n"])
def test_a_blank_key_is_none(read: Read, tmp_path: Path, blank: str) -> None:
    environment = read(KIRO_RS_ADMIN_API_KEY=blank)
    assert environment.config.admin_api_key == ""
    assert bool(environment.warnings) is bool(blank)
    for content in ({"adminApiKey": blank}, f"admin_api_key = {json.dumps(blank)}"):
        effective = read(content)
        assert (effective.config.admin_api_key, effective.sources["admin_api_key"]) == ("", "default")
        assert [warning.partition(" is ")[2] for warning in effective.warnings] == (
            ["blank, which counts as not set."] if blank else []  # the default, written out
        )


def test_precedence_and_sources(read: Read, tmp_path: Path) -> None:
    file = {"port": 1, "host": "127.0.0.2", "region": "eu-west-1"}
    effective = read(file, flags={"port": 3, "host": None}, KIRO_RS_PORT="2", KIRO_RS_HOST="127.0.0.3")
    config, sources = effective.config, effective.sources
    assert (config.port, config.host, config.region) == (3, "127.0.0.3", "eu-west-1")
    assert sources["port"] == "flag --port"
    assert sources["host"] == "environment KIRO_RS_HOST"
    assert sources["region"] == str(tmp_path / "config.json")
    assert sources["api_region"] == "default"


def test_camel_and_snake_case_in_both_formats(read: Read) -> None:
    assert read({"thinkingSuffix": "-t", "auth_region": "eu-west-1"}).config.auth_region == "eu-west-1"
    assert read('thinkingSuffix = "-t"\nauth_region = "eu-west-1"').config.thinking_suffix == "-t"


def test_one_key_in_two_spellings(read: Read) -> None:
    assert "says the same as apiKey" in problems_of(read, {"apiKey": "a", "api_key": "b"})[0]


def test_a_kiro_rs_file_with_nulls(read: Read) -> None:
    # operations §2.3: kiro-rs writes null for optional settings that are not set
    effective = read({"apiKey": "k", "authRegion": None, "adminApiKey": None, "thinkingSuffix": None, "port": None})
    assert effective.config.auth_region is None
    assert effective.config.port == 8080
    assert effective.config.thinking_suffix == "-thinking"


def test_empty_strings_count_as_absent_except_the_suffix(read: Read) -> None:
    config = read({"authRegion": "", "apiKey": "", "thinkingSuffix": ""}).config
    assert (config.auth_region, config.api_key, config.thinking_suffix) == (None, "", "")


def test_all_problems_at_once(read: Read) -> None:
    problems = problems_of(
        read,
        {"prot": 1, "port": "8080", "region": "mars", "loadBalancingMode": "priorty", "zzzzzz": 1},
        flags={"host": "a b"},
        KIRO_RS_IDLE_TIMEOUT_SECONDS="soon",
    )
    assert len(problems) == 7
    text = "\n".join(problems)
    assert 'unknown key "prot"; did you mean "port"?' in text
    assert 'unknown key "zzzzzz"; `kiro-rs-py config init`' in text
    assert 'did you mean "priority"?' in text
    assert "port must be a whole number" in text
    assert "--host must be a host name" in text
    assert "KIRO_RS_IDLE_TIMEOUT_SECONDS must be a number of seconds" in text


@pytest.mark.parametrize(
    ("content", "meant"),
    [
        ({"apikey": "x"}, "apiKey"),
        ({"api_keyy": "x"}, "api_key"),
        ("apikey = 'x'", "api_key"),
        ({"thinkingSufix": "x"}, "thinkingSuffix"),
        ("thinking_sufix = 'x'", "thinking_suffix"),
    ],
)
def test_the_nearest_known_key_in_the_spelling_of_the_file(
    read: Read, content: dict[str, object] | str, meant: str
) -> None:
    assert problems_of(read, content)[0].endswith(f'did you mean "{meant}"?')


def test_keys_of_newer_kiro_rs_versions_are_ignored_with_a_warning(read: Read) -> None:
    effective = read({"extractThinking": True, "endpoints": {}, "defaultEndpoint": "ide"})
    assert len(effective.warnings) == 3
    assert "extractThinking has no effect" in effective.warnings[0]


def test_environment_kinds(read: Read) -> None:
    config = read(
        KIRO_RS_PORT="9",
        KIRO_RS_NO_PROXY="a.example, b.example",
        KIRO_RS_PING_INTERVAL_SECONDS="2.5",
        KIRO_RS_THINKING_SUFFIX="",
        KIRO_RS_REGION="",
        KIRO_RS_MODELS='{"aliases": {"fast": "claude-haiku-4-5"}}',
    ).config
    assert (config.port, config.ping_interval_seconds, config.thinking_suffix) == (9, 2.5, "")
    assert config.no_proxy == ("a.example", "b.example")
    assert config.models == {"aliases": {"fast": "claude-haiku-4-5"}}
    assert config.region == "us-east-1"


def test_misspelt_environment_variable_warns(read: Read) -> None:
    effective = read(KIRO_RS_PROT="1", KIRO_RS_LOG="debug", KIRO_RS_QQQQQQQQ="1", HOME="/")
    assert effective.warnings == (
        "The environment variable KIRO_RS_PROT is no setting; did you mean KIRO_RS_PORT?",
        "The environment variable KIRO_RS_QQQQQQQQ is no setting.",
    )


def test_config_file_from_the_environment(read: Read, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.toml").write_text("port = 5")
    assert read(KIRO_RS_CONFIG="elsewhere.toml").config.port == 5
    assert "there is no such file" in problems_of(read, KIRO_RS_CONFIG="none.toml")[0]


def test_secret_files(read: Read, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-a-file\n")
    assert read(KIRO_RS_API_KEY_FILE="key").config.api_key == "from-a-file"
    effective = read({"apiKeyFile": "key", "adminApiKeyFile": ""})
    assert effective.config.api_key == "from-a-file"
    assert effective.config.admin_api_key == ""


@pytest.mark.parametrize(
    ("file", "environ", "words"),
    [
        ({"apiKeyFile": "none"}, {}, "cannot be read: No such file"),
        ({"apiKeyFile": "empty"}, {}, "which is empty"),
        ({"apiKeyFile": "binary"}, {}, "not UTF-8"),
        ({"apiKeyFile": 3}, {}, "must be a string"),
        ({"apiKeyFile": "two-words"}, {}, "printable ASCII"),
        ({"apiKey": "x", "api_key_file": "two-words"}, {}, "says the same as apiKey"),
        ({}, {"KIRO_RS_API_KEY": "x", "KIRO_RS_API_KEY_FILE": "y"}, "both set"),
        ({}, {"KIRO_RS_ADMIN_API_KEY_FILE": "none"}, "cannot be read"),
    ],
)
def test_bad_secret_files(
    read: Read, tmp_path: Path, file: dict[str, object], environ: dict[str, str], words: str
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "binary").write_bytes(b"\xff\xff")
    (tmp_path / "two-words").write_text("hunter2 hunter2")
    text = "\n".join(problems_of(read, file, **environ))
    assert words in text
    assert "hunter2" not in text


def test_credentials_path_chain(read: Read, tmp_path: Path) -> None:
    assert read({"credentialsPath": "a/c.json"}).config.credentials_path == tmp_path / "a" / "c.json"
    flagged = read({"credentialsPath": "a.json"}, credentials=Path("b.json"))
    assert flagged.config.credentials_path == tmp_path / "b.json"
    assert flagged.sources["credentials_path"] == "flag --credentials"
    assert read({}).config.credentials_path == tmp_path / "credentials.json"


def test_readable_secrets_warn(read: Read, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"apiKey": "k"}')
    path.chmod(0o644)
    assert read().warnings == (f"{path} holds secrets and can be read by other users. Run `chmod 600 {path}`.",)
    path.write_text('{"port": 1}')
    assert read().warnings == ()


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ({"proxyUrl": "http://h", "proxyUsername": "u"}, "only when both"),
        ({"proxyUsername": "u", "proxyPassword": "p"}, "no effect without proxy_url"),
        ({"machineId": "xyz"}, "machine_id is neither"),
    ],
)
def test_odd_but_harmless(read: Read, file: dict[str, object], words: str) -> None:
    assert words in read(file).warnings[0]


@pytest.mark.parametrize("machine_id", ["a" * 64, "2582956e-cc88-4669-b546-07adbffcb894", "B" * 32])
def test_good_machine_ids(read: Read, machine_id: str) -> None:
    assert read({"machineId": machine_id}).warnings == ()
