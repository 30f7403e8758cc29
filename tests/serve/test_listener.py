from __future__ import annotations

import errno
import socket
import subprocess
import sys

import pytest
import trio

from kiro_rs_py.errors import BindError
from kiro_rs_py.serve.listener import ServerAddress, _explain, bind, open_listeners


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("localhost", "http://localhost:80"),
        ("", "http://127.0.0.1:80"),
    ],
)
def test_the_url_works_on_this_machine(host: str, url: str) -> None:
    assert ServerAddress(host, 80).url == url


async def test_port_0_is_one_real_port_on_every_address_of_the_name() -> None:
    listeners, address = open_listeners("localhost", 0)
    try:
        assert address.port
        assert {listener.socket.getsockname()[1] for listener in listeners} == {address.port}
        async with await trio.open_tcp_stream("localhost", address.port):
            pass
    finally:
        for listener in listeners:
            await listener.aclose()


async def test_accepted_sockets_give_up_on_silent_peers() -> None:
    listeners, address = open_listeners("127.0.0.1", 0)
    [listener] = listeners
    async with listener, await trio.open_tcp_stream("127.0.0.1", address.port):
        accepted = await listener.accept()
        async with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_who_connects_before_anybody_serves_is_served_later() -> None:
    bound = bind("127.0.0.1", 0)
    with socket.create_connection(("127.0.0.1", bound.address.port)) as early:
        [listener] = bound.listeners()
        async with listener, await listener.accept() as accepted:
            assert accepted.socket.getpeername() == early.getsockname()


def test_listening_does_not_need_trio() -> None:
    program = (
        "import sys; from kiro_rs_py.serve.listener import bind; bind('127.0.0.1', 0); print('trio' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "trio" not in ran.stdout.split()


async def test_ipv6() -> None:
    try:
        listeners, address = open_listeners("::1", 0)
    except BindError:
        pytest.skip("no IPv6 on this machine")
    async with listeners[0], await trio.open_tcp_stream("::1", address.port):
        pass


async def test_the_ipv6_wildcard_serves_ipv4_too() -> None:
    try:
        listeners, address = open_listeners("::", 0)
    except BindError:
        pytest.skip("no IPv6 on this machine")
    async with listeners[0], await trio.open_tcp_stream("127.0.0.1", address.port):
        pass


async def test_a_busy_port_names_the_remedy() -> None:
    listeners, address = open_listeners("127.0.0.1", 0)
    async with listeners[0]:
        with pytest.raises(BindError, match=rf"^Port {address.port} on 127\.0\.0\.1 is in use.*--port"):
            open_listeners("127.0.0.1", address.port)


@pytest.mark.parametrize(
    ("host", "text"), [("192.0.2.1", "not an address of this machine"), ("no such name", "the name is unknown")]
)
async def test_impossible_hosts(host: str, text: str) -> None:
    with pytest.raises(BindError, match=text):
        open_listeners(host, 0)


@pytest.mark.parametrize(("code", "text"), [(errno.EACCES, "1024 or more"), (errno.ENOBUFS, "No buffer space")])
def test_other_reasons(code: int, text: str) -> None:
    assert text in _explain("127.0.0.1", 80, OSError(code, "No buffer space"))
