"""Foreign names and pages: DNS rebinding and CSRF (operations §7.8, 4 and 5)."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from kiro_rs_py.serve.admin.guard import Guard
from kiro_rs_py.serve.admin.refusals import Refusal
from kiro_rs_py.serve.app import Call
from tests.serve.admin.estate import Estate, code_of


async def call_with(**headers: str) -> Call:
    async def nothing(*_: Any) -> Any:
        await trio.lowlevel.checkpoint()

    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope = {"method": "GET", "path": "/", "headers": raw, "query_string": b"", "client": ("127.0.0.1", 1)}
    return Call(scope, nothing, nothing)


@pytest.mark.parametrize(
    ("listening", "host", "accepted"),
    [
        ("127.0.0.1", "127.0.0.1:8080", True),
        ("127.0.0.1", "localhost:8080", True),
        ("127.0.0.1", "LOCALHOST", True),
        ("127.0.0.1", "[::1]:8080", True),
        ("127.0.0.1", "127.0.0.2", True),
        ("127.0.0.1", "evil.example:8080", False),
        ("127.0.0.1", "localhost.evil.example", False),
        ("127.0.0.1", "evil.localhost", False),
        ("127.0.0.1", "192.168.1.5", False),
        ("127.0.0.1", "admin.example", True),  # configured
        ("127.0.0.1", "user@localhost", False),
        ("127.0.0.1", "localhost/x", False),
        ("127.0.0.1", "localhost:port", False),
        ("127.0.0.1", "[::1", False),
        ("127.0.0.1", "", False),
        ("0.0.0.0", "192.168.1.5:8080", True),  # an address cannot be rebound
        ("0.0.0.0", "evil.example", False),
        ("::", "[2001:db8::5]:8080", True),
        ("nas.home", "nas.home:8080", True),
        ("nas.home", "other.home:8080", False),
    ],
)
async def test_hosts(listening: str, host: str, accepted: bool) -> None:
    guard = Guard(listening, ["admin.example"])
    call = await call_with(host=host)
    if accepted:
        guard.check(call)
    else:
        with pytest.raises(Refusal) as refused:
            guard.check(call)
        assert (refused.value.status, refused.value.code) == (403, "foreign_host")


@pytest.mark.parametrize(
    ("host", "origin", "accepted"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080", True),
        ("localhost", "http://localhost", True),
        ("localhost", "https://localhost:443", True),
        ("localhost:80", "http://localhost", True),
        ("127.0.0.1:8080", "http://127.0.0.1:3000", False),  # another program's page on this machine
        ("127.0.0.1:8080", "http://localhost:8080", False),
        ("127.0.0.1:8080", "https://evil.example", False),
        ("127.0.0.1:8080", "null", False),
        ("127.0.0.1:8080", "file://", False),
        ("127.0.0.1:8080", "", False),
        ("127.0.0.1:8080", "http://127.0.0.1:8080.evil.example", False),
        ("127.0.0.1:8080", "http://[", False),
        ("127.0.0.1:8080", "https://admin.example", True),  # a reverse proxy that tells its own address as host
        ("127.0.0.1:8080", "https://admin.example.evil", False),
    ],
)
async def test_origins(host: str, origin: str, accepted: bool) -> None:
    guard = Guard("127.0.0.1", ["admin.example"])
    call = await call_with(host=host, origin=origin)
    if accepted:
        guard.check(call)
    else:
        with pytest.raises(Refusal) as refused:
            guard.check(call)
        assert (refused.value.status, refused.value.code) == (403, "foreign_origin")


PATHS = ("/api/admin/credentials", "/api/admin/session", "/api/admin/nowhere", "/v0/oauth/kiro/status")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("headers", [{"host": "rebound.example"}, {"origin": "https://evil.example"}])
async def test_even_the_right_key_does_not_help_a_foreign_page(
    estate: Estate, path: str, headers: dict[str, str]
) -> None:
    answer = await estate.client.get(estate.url + path, headers=headers)
    assert code_of(answer)[:2] == (403, "authentication_error")


async def test_pages_are_not_shown_under_foreign_names(estate: Estate) -> None:
    for path in ("/admin", "/v0/oauth/kiro"):
        answer = await estate.client.get(estate.url + path, headers={"host": "rebound.example"})
        assert answer.status_code == 403
