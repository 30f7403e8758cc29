from __future__ import annotations

from pathlib import Path

import pytest

from kiro_rs_py.config.keys import KEYS
from kiro_rs_py.config.masking import MASK, mask_url, masked


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("api_key", "sk-abc", MASK),
        ("api_key", "", None),
        ("proxy_password", None, None),
        ("proxy_url", "http://user:pass@proxy.example:1", f"http://{MASK}@proxy.example:1"),
        ("proxy_url", None, None),
        ("credentials_path", Path("/x"), "/x"),
        ("no_proxy", ("a", "b"), ["a", "b"]),
        ("models", {"extra": []}, {"extra": []}),
        ("port", 1, 1),
    ],
)
def test_masking(name: str, value: object, shown: object) -> None:
    assert masked(KEYS[name], value) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("socks5h://[::1]:1080", "socks5h://[::1]:1080"),
        ("https://u@h/p?key=1#x", f"https://{MASK}@h/p?{MASK}"),
        ("https://u:p@ss@h", f"https://{MASK}@h"),
    ],
)
def test_urls(url: str, shown: str) -> None:
    assert mask_url(url) == shown
