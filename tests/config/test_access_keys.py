"""Configured keys, plain and hashed."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from kiro_rs_py.config import Config
from kiro_rs_py.config.access_keys import digest_of, hashed, is_hashed, is_well_formed, same_key
from kiro_rs_py.config.keys import KEYS
from kiro_rs_py.config.serving import serving_problems, weakness_of

KEY = "sk-9f3kQm7Lr2ZxWv8TnB5y"


def test_both_forms_of_a_key_have_one_digest() -> None:
    assert digest_of(KEY) == digest_of(hashed(KEY)) == sha256(KEY.encode()).digest()
    assert is_hashed(hashed(KEY))
    assert not is_hashed(KEY)
    assert KEY not in hashed(KEY)


@pytest.mark.parametrize("key", ["", " ", "sha256:", "sha256:" + "0" * 63, "sha256:" + "g" * 64])
def test_what_is_no_key_has_no_digest(key: str) -> None:
    assert digest_of(key) == b""


def test_same_key() -> None:
    assert same_key(KEY, hashed(KEY))
    assert not same_key(KEY, hashed(KEY + "x"))
    assert not same_key("", "")


@pytest.mark.parametrize("name", ["api_key", "admin_api_key", "metrics_key"])
def test_a_malformed_hash_is_refused(name: str) -> None:
    kind = KEYS[name].kind
    assert kind.check(hashed(KEY), Path()) == hashed(KEY)
    assert kind.check(KEY, Path()) == KEY
    with pytest.raises(ValueError, match="64 hex digits behind sha256:"):
        kind.check(hashed(KEY)[:-1], Path())
    assert not is_well_formed(hashed(KEY)[:-1])


def test_a_hash_says_nothing_of_the_key_s_strength() -> None:
    assert weakness_of("short")
    assert weakness_of(hashed("short")) is None
    config = Config(host="0.0.0.0", api_key=hashed(KEY), admin_api_key=KEY)
    problems, warnings = serving_problems(config)
    assert not problems
    assert "admin_api_key is the same as api_key" in warnings[0]
