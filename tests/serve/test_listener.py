from __future__ import annotations

import errno
import socket
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import trio

from kiro_rs_py.config import Config
from kiro_rs_py.errors import BindError
from kiro_rs_py.serve import listener
from kiro_rs_py.serve.listener import ServerAddress, _explain, _explain_file, bind, bind_admin, bind_all
from kiro_rs_py.upstream.locks import FileLock


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
    bound = bind("localhost", 0)
    try:
        assert bound.address.port
        assert {sock.getsockname()[1] for sock in bound.sockets} == {bound.address.port}
        async with await trio.open_tcp_stream("localhost", bound.address.port):
            pass
    finally:
        bound.close()


def test_accepted_sockets_give_up_on_silent_peers_and_hold_little() -> None:
    bound = bind("127.0.0.1", 0)
    with closing(bound), socket.create_connection(("127.0.0.1", bound.address.port)):
        accepted, _ = bound.sockets[0].accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 16_384
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_listening_does_not_need_trio() -> None:
    program = (
        "import sys; from kiro_rs_py.serve.listener import bind; bind('127.0.0.1', 0); print('trio' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "trio" not in ran.stdout.split()


async def test_ipv6() -> None:
    try:
        bound = bind("::1", 0)
    except BindError:
        pytest.skip("no IPv6 on this machine")
    with closing(bound):
        async with await trio.open_tcp_stream("::1", bound.address.port):
            pass


async def test_the_ipv6_wildcard_serves_ipv4_too() -> None:
    try:
        bound = bind("::", 0)
    except BindError:
        pytest.skip("no IPv6 on this machine")
    with closing(bound):
        async with await trio.open_tcp_stream("127.0.0.1", bound.address.port):
            pass


def test_a_busy_port_names_the_remedy() -> None:
    bound = bind("127.0.0.1", 0)
    port = bound.address.port
    with closing(bound), pytest.raises(BindError, match=rf"^Port {port} on 127\.0\.0\.1 is in use.*--port"):
        bind("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "text"), [("192.0.2.1", "not an address of this machine"), ("no such name", "the name is unknown")]
)
def test_impossible_hosts(host: str, text: str) -> None:
    with pytest.raises(BindError, match=text):
        bind(host, 0)


@pytest.mark.parametrize(("code", "text"), [(errno.EACCES, "1024 or more"), (errno.ENOBUFS, "No buffer space")])
def test_other_reasons(code: int, text: str) -> None:
    assert text in _explain("127.0.0.1", 80, OSError(code, "No buffer space"), ("--host", "--port"))


# --- the administration's own -----------------------------------------------------------------------------------------

needs_socket_files = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no socket files")


def test_a_busy_admin_address_is_told_with_its_setting_and_frees_the_other() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free = probe.getsockname()[1]
        with pytest.raises(BindError, match=f"^Port {taken} on .* with admin_listen"):
            bind_all(Config(port=free, admin_listen=f"127.0.0.1:{taken}"))
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", free))
            probe.listen()


@needs_socket_files
def test_a_socket_file_is_its_owner_s_and_goes_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    bound = bind_all(Config(port=0, admin_listen=f"unix:{path}"))
    assert bound.admin is not None
    assert bound.admin.address.url == f"unix:{path}"
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    bound.close()
    assert not path.exists()
    bound.close()


@needs_socket_files
def test_a_dead_program_s_socket_file_is_replaced_and_a_running_one_s_is_not(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    bound = bind_admin(f"unix:{path}")
    with pytest.raises(BindError, match=r"A running program listens on .*admin_listen"):
        bind_admin(f"unix:{path}")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    bound.close()


@needs_socket_files
def test_a_successor_s_socket_file_is_left_alone(tmp_path: Path) -> None:
    """A proxy that drains listens no more; the next one may have replaced its file, under the same inode number."""
    path = tmp_path / "admin.sock"
    old = bind_admin(f"unix:{path}")
    for sock in old.sockets:
        sock.close()
    new = bind_admin(f"unix:{path}")
    old.close()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    new.close()
    assert not path.exists()


RACE = """
import sys
from contextlib import closing
from kiro_rs_py.errors import BindError
from kiro_rs_py.serve.listener import bind_admin

sys.stdin.readline()
try:
    bound = bind_admin(sys.argv[1])
except BindError as error:
    print(error, flush=True)
else:
    print("bound", flush=True)
sys.stdin.readline()
"""


@needs_socket_files
def test_of_two_that_start_at_once_one_is_told(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, f"unix:{path}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    told = []
    for start in starts:
        assert start.stdin is not None
        start.stdin.write("\n")
        start.stdin.flush()
    for start in starts:
        assert start.stdout is not None
        told.append(start.stdout.readline().strip())
    for start in starts:
        start.communicate("\n")
    assert sorted(line.partition(" listens")[0] for line in told) == ["A running program", "bound"]


@needs_socket_files
def test_a_start_that_hangs_while_it_makes_the_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "LOCK_SECONDS", 0.0)
    lock = FileLock(tmp_path / ".admin.sock.lock")
    assert lock.try_acquire()
    with pytest.raises(BindError, match="Another program is making"):
        bind_admin(f"unix:{tmp_path / 'admin.sock'}")
    lock.release()


@needs_socket_files
def test_another_s_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    bound = bind_admin(f"unix:{path}")
    path.unlink()
    path.write_text("precious")
    bound.close()
    with pytest.raises(BindError, match="is no socket"):
        bind_admin(f"unix:{path}")
    assert path.read_text() == "precious"


@needs_socket_files
@pytest.mark.parametrize(
    ("path", "words"), [("none/a.sock", "There is no folder"), ("a" * 120, "too long"), ("", "is no socket")]
)
def test_impossible_files(path: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(BindError, match=words):
        bind_admin(f"unix:{tmp_path / path}")


@pytest.mark.parametrize(("code", "words"), [(errno.EACCES, "Not allowed"), (errno.EROFS, "Not allowed")])
def test_why_there_is_no_file(code: int, words: str) -> None:
    assert words in _explain_file(Path("/run/a.sock"), OSError(code, "x"))
