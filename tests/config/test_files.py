from __future__ import annotations

import os
from pathlib import Path

import pytest

from kiro_rs_py.config.files import Folders, beside, find_config_file, find_credentials_file, read_config_file
from kiro_rs_py.errors import ConfigError


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = Folders(tmp_path / "work", tmp_path / "config", tmp_path / "data")
    for folder in (made.working, made.user_config, made.user_data):
        folder.mkdir()
    return made


def test_search_order(folders: Folders, tmp_path: Path) -> None:
    assert find_config_file(None, folders) is None
    order = [
        folders.user_config / "config.json",
        folders.user_config / "config.toml",
        folders.working / "config.json",
        folders.working / "config.toml",
    ]
    for path in order:
        path.touch()
        assert find_config_file(None, folders) == path
    named = tmp_path / "mine.toml"
    named.touch()
    assert find_config_file(named, folders) == named


def test_a_file_beside_the_credentials() -> None:
    assert beside(Path("a/my.credentials.json"), "state") == Path("a/my.credentials.state.toml")


def test_a_named_file_must_exist(folders: Folders, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="config init -c"):
        find_config_file(tmp_path / "none.toml", folders)


def test_a_folder_is_no_config_file(folders: Folders) -> None:
    (folders.working / "config.toml").mkdir()
    assert find_config_file(None, folders) is None
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config_file(folders.working / "config.toml")


def test_an_unsearchable_path_is_not_a_missing_file(folders: Folders) -> None:
    loop = folders.working / "config.toml"
    loop.symlink_to(loop)
    with pytest.raises(ConfigError, match="cannot be read"):
        find_config_file(None, folders)


def write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.toml", "port = 1\n"),
        ("config.json", '{"port": 1}'),
        ("CONFIG.JSON", '{"port": 1}'),
        ("settings", ' {"port": 1}'),
        ("settings.conf", "port = 1"),
        ("config.json", b'\xef\xbb\xbf{"port": 1}'),
        ("config.toml", b"\xef\xbb\xbfport = 1\r\n"),
    ],
)
def test_formats(tmp_path: Path, name: str, content: bytes | str) -> None:
    assert read_config_file(write(tmp_path / name, content)).pairs == {"port": 1}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("config.toml", "port = \n", "not valid TOML: Invalid value (at line 1"),
        ("config.toml", "port = 1\nport = 2\n", "not valid TOML"),
        ("config.toml", f"port = {'1' * 5000}\n", "not valid TOML"),
        ("config.toml", f"a = {'[' * 5000}", "not valid TOML"),
        ("config.json", '{"port": 1,}', "not valid JSON"),
        ("config.json", "", "not valid JSON"),
        ("config.json", '{"a": NaN}', "NaN is no JSON number"),
        ("config.json", "[" * 100_000, "not valid JSON"),
        ("config.json", "[]", "one JSON object"),
        ("config.json", '{"port": 1, "port": 2}', 'the key "port" is given twice'),
        ("config.json", '{"models": {"a": 1, "a": 2}}', 'the key "a" is given twice'),
        ("config.json", b"\xff\xfe{}", "not UTF-8 text (byte 0)"),
    ],
)
def test_broken_files(tmp_path: Path, name: str, content: bytes | str, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_config_file(write(tmp_path / name, content))
    assert words in str(raised.value)
    assert str(tmp_path / name) in str(raised.value)


def test_who_can_read_it(tmp_path: Path) -> None:
    path = write(tmp_path / "config.toml", "")
    path.chmod(0o600)
    assert not read_config_file(path).readable_by_others
    path.chmod(0o640)
    assert read_config_file(path).readable_by_others


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable(tmp_path: Path) -> None:
    path = write(tmp_path / "config.toml", "")
    path.chmod(0)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        read_config_file(path)


def test_credentials_beside_the_config_file_first(folders: Folders) -> None:
    config = folders.working / "config.toml"
    beside, stored = folders.working / "credentials.json", folders.user_data / "credentials.json"
    assert find_credentials_file(config, folders) == beside
    stored.touch()
    assert find_credentials_file(config, folders) == stored
    beside.touch()
    assert find_credentials_file(config, folders) == beside
    assert find_credentials_file(None, folders) == beside


def test_new_credentials_go_to_the_data_directory(folders: Folders) -> None:
    assert find_credentials_file(None, folders) == folders.user_data / "credentials.json"
    mine = folders.user_config / "config.toml"
    assert find_credentials_file(mine, folders) == folders.user_data / "credentials.json"


def test_a_credentials_file_that_cannot_be_looked_at_is_not_passed_over(folders: Folders) -> None:
    (folders.user_data / "credentials.json").touch()
    config = folders.working / ("x" * 300) / "config.toml"  # "file name too long", even for root
    assert find_credentials_file(config, folders) == config.parent / "credentials.json"
