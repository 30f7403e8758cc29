from __future__ import annotations

import re
import tomllib
from pathlib import Path

from kiro_rs_py.config.files import Folders
from kiro_rs_py.config.keys import KEYS, default_of
from kiro_rs_py.config.reader import Inputs, read_config
from kiro_rs_py.config.template import fresh_key, render_template
from kiro_rs_py.convert.models import catalog_from_settings


def test_only_the_two_keys_are_live() -> None:
    text = render_template(api_key="first", admin_api_key="second")
    assert tomllib.loads(text) == {"api_key": "first", "admin_api_key": "second"}


def test_every_key_stands_in_it_once_with_its_default(tmp_path: Path) -> None:
    text = render_template(api_key="first-first-first", admin_api_key="second-second-second")
    path = tmp_path / "config.toml"
    path.write_text(re.sub(r"^#(?=[\w\[])", "", text, flags=re.MULTILINE))
    (tmp_path / "company-ca.pem").touch()
    assert set(tomllib.loads(path.read_text())) == set(KEYS)
    config = read_config(Inputs(folders=Folders(tmp_path, tmp_path, tmp_path), config=path)).config
    for name in KEYS:
        default = default_of(name)
        if default not in (None, "") and name not in ("credentials_path", "models"):
            assert getattr(config, name) == default, name
    assert catalog_from_settings(config.models).resolve("fast", thinking_suffix="").upstream_id == "claude-haiku-4.5"


def test_fresh_keys_differ_and_are_long() -> None:
    one, other = fresh_key(), fresh_key()
    assert one != other
    assert len(one) > 40
