from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from kiro_rs_py.cli.folders import user_folders


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"HOME": "/somewhere/else/"},
        {"HOME": "relative"},
        {"HOME": ""},
        {"XDG_CONFIG_HOME": "/elsewhere"},
        {"XDG_DATA_HOME": "/elsewhere"},
        {"XDG_CONFIG_HOME": "", "XDG_DATA_HOME": " "},
    ],
)
def test_as_platformdirs_has_them(environ: dict[str, str], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    folders = user_folders()
    assert folders.working == home / "work"
    assert folders.user_config == platformdirs.user_config_path("kiro-rs-py", appauthor=False)
    assert folders.user_data == platformdirs.user_data_path("kiro-rs-py", appauthor=False)


def test_without_a_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    assert user_folders().user_config == platformdirs.user_config_path("kiro-rs-py", appauthor=False)
