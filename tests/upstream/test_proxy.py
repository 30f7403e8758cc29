"""Proxy URLs, whose proxy counts, and which hosts go without."""

from __future__ import annotations

import pytest

from kiro_rs_py.config import Config
from kiro_rs_py.errors import ConfigError
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.proxy import Proxy, ProxyExceptions, effective_proxy, parse_proxy

FAR = Proxy("http", "proxy.example", 8080)
NEAR = Proxy("http", "127.0.0.1", 8080)


@pytest.mark.parametrize(
    "url, expected",
    [
        ("http://proxy.example:8080", FAR),
        ("HTTP://Proxy.example:8080/", FAR),
        ("http://proxy.example", Proxy("http", "proxy.example", 80)),
        ("https://proxy.example", Proxy("https", "proxy.example", 443)),
        ("socks5://proxy.example", Proxy("socks5", "proxy.example", 1080)),
        ("socks5h://[::1]:9050", Proxy("socks5h", "::1", 9050)),
        ("http://me:p%40ss@proxy.example", Proxy("http", "proxy.example", 80, "me", "p@ss")),
        ("http://me@proxy.example", Proxy("http", "proxy.example", 80, "me", "")),
    ],
)
def test_parse_proxy(url: str, expected: Proxy) -> None:
    assert parse_proxy(url) == expected


def test_separate_user_and_password_win_when_both_are_there() -> None:
    url = "http://a:b@proxy.example"
    assert parse_proxy(url, "me", "secret") == Proxy("http", "proxy.example", 80, "me", "secret")
    assert parse_proxy(url, "me", None) == Proxy("http", "proxy.example", 80, "a", "b")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "proxy.example:8080",
        "ftp://proxy.example",
        "socks4://proxy.example",
        "http://",
        "http://:8080",
        "http://proxy.example:port",
        "http://proxy.example:99999",
        "http://[::1",
        "http://proxy.example/path",
        "http://proxy.example?x=secret",
        "http://pro xy.example",
        "socks5://" + "u" * 256 + ":p@proxy.example",
    ],
)
def test_bad_proxy_urls(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_proxy(url)
    assert "secret" not in str(caught.value)


def test_secrets_stay_out_of_repr() -> None:
    assert "secret" not in repr(parse_proxy("http://me:secret@proxy.example"))


def test_effective_proxy() -> None:
    config = Config(proxy_url="http://proxy.example:8080")
    own = Credential(proxy_url="socks5://own.example", proxy_username="me", proxy_password="x")
    assert effective_proxy(Config()) is None
    assert effective_proxy(Config(proxy_url=" ")) is None
    assert effective_proxy(config) == FAR
    assert effective_proxy(config, Credential()) == FAR
    assert effective_proxy(config, own) == Proxy("socks5", "own.example", 1080, "me", "x")
    assert effective_proxy(config, Credential(proxy_url="Direct")) is None
    assert effective_proxy(Config(), own) is not None


@pytest.mark.parametrize(
    "entries, host, port, covered",
    [
        ([], "q.us-east-1.amazonaws.com", 443, False),
        (["*"], "anything", 1, True),
        (["amazonaws.com"], "q.us-east-1.amazonaws.com", 443, True),
        ([".amazonaws.com"], "q.us-east-1.amazonaws.com", 443, True),
        (["*.amazonaws.com"], "Q.us-east-1.AmazonAWS.com.", 443, True),
        (["amazonaws.com"], "notamazonaws.com", 443, False),
        (["amazonaws.com:443"], "q.amazonaws.com", 443, True),
        (["amazonaws.com:444"], "q.amazonaws.com", 443, False),
        (["", " host "], "host", 80, True),
        (["10.0.0.0/8"], "10.1.2.3", 80, True),
        (["10.0.0.0/8"], "11.1.2.3", 80, False),
        (["10.1.2.3"], "10.1.2.3", 80, True),
        (["10.1.2.3:81"], "10.1.2.3", 80, False),
        (["3"], "10.1.2.3", 80, False),
        (["fd00::/8"], "fd00::1", 80, True),
        (["[fd00::1]:80"], "fd00::1", 80, True),
    ],
)
def test_proxy_exceptions(entries: list[str], host: str, port: int, covered: bool) -> None:
    assert ProxyExceptions(entries).cover(FAR, host, port) is covered


@pytest.mark.parametrize("host", ["localhost", "kiro.localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_loopback_goes_through_a_proxy_on_loopback_only(host: str) -> None:
    assert ProxyExceptions().cover(FAR, host, 80)
    assert not ProxyExceptions().cover(NEAR, host, 80)
