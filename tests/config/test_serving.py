from __future__ import annotations

import pytest

from kiro_rs_py.config import Config
from kiro_rs_py.config.serving import is_loopback, serving_problems, weakness_of
from kiro_rs_py.config.template import fresh_key

GOOD = "sk-3f9c27d1b8a64e05"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "kiro.example", "1270.0.1"])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "key",
    [
        "sk-kiro-rs-qazWSXedcRFV123456",
        "test-proxy-key",
        "changeme",
        "your-api-key-here-please",
        "sk-admin-your-secret-key",
    ],
)
def test_example_keys(key: str) -> None:
    assert weakness_of(key) == "like the well-known keys of examples"


def test_other_keys() -> None:
    assert weakness_of("f9c27d1b8a64e05") == "shorter than 16 characters"
    assert weakness_of(GOOD) is None
    assert weakness_of(fresh_key()) is None


@pytest.mark.parametrize(
    ("config", "problem", "warning"),
    [
        (Config(api_key=GOOD), None, None),
        (Config(), "api_key is missing", None),
        (Config(api_key="short"), None, "api_key is shorter"),
        (Config(api_key="short", host="0.0.0.0"), "0.0.0.0 can be reached", None),
        (Config(api_key="changeme", host="::"), "well-known keys of examples", None),
        (Config(api_key=GOOD, host="0.0.0.0"), None, None),
        (Config(api_key=GOOD, admin_api_key="admin", host="0.0.0.0"), "admin_api_key is shorter", "without TLS"),
        (Config(api_key=GOOD, admin_api_key="admin", host="0.0.0.0", admin_listen="[::1]:1"), None, "is shorter"),
        (Config(api_key=GOOD, admin_api_key="admin", host="0.0.0.0", admin_listen="unix:/a"), None, "is shorter"),
        (Config(api_key=GOOD, admin_api_key="admin", admin_listen="[::]:1"), ":: can be reached", "without TLS"),
        (Config(api_key=GOOD, admin_api_key=GOOD), None, "the same as api_key"),
        (Config(api_key=GOOD, metrics_key="metrics"), None, "metrics_key is shorter"),
        (Config(api_key=GOOD, metrics_key="metrics", host="0.0.0.0"), "metrics_key is shorter", None),
    ],
)
def test_serving(config: Config, problem: str | None, warning: str | None) -> None:
    problems, warnings = serving_problems(config)
    assert [problem in text for text in problems] == ([True] if problem else []) if problem else problems == []
    assert [warning in text for text in warnings] == [True] if warning else warnings == []
    for text in problems:
        assert "kiro-rs-py config init" in text
