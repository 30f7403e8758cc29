from __future__ import annotations

import signal
import socket
import urllib.error
from pathlib import Path

import pytest
import trio

from kiro_rs_py.cli.demo import FIRST_PORT, first_free_port, serve_demo
from kiro_rs_py.config import Config
from kiro_rs_py.serve.listener import ServerAddress
from tests.cli.running import serving


def test_a_conversation_and_nothing_left_over(home: Path) -> None:
    (home / "tmp").mkdir()
    (home / "work" / "config.json").write_text("this file is not read")
    with serving("--demo", TMPDIR=str(home / "tmp")) as served:
        assert served.url.startswith("http://127.0.0.1:")
        assert served.say("<<SAY it works>>") == "it works"
        assert [path.name[:15] for path in (home / "tmp").iterdir()] == ["kiro-rs-py-demo"]
        code, err = served.end(signal.SIGINT)
    assert code == 0
    assert "Traceback" not in err
    assert served.key not in err
    assert list((home / "tmp").iterdir()) == []
    assert sorted(path.name for path in home.iterdir()) == ["tmp", "work"]


@pytest.mark.parametrize("fault", ["quota", "credit-rate", "throttle", "exception ThrottlingException"])
def test_a_fault_does_not_end_the_demo(fault: str, home: Path) -> None:
    with serving("--demo") as served:
        for prompt in (f"<<FAULT {fault}>>", "<<SAY hello>>"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                served.say(prompt)
            refused.value.close()
            assert int(refused.value.headers["retry-after"]) <= 6


def test_two_demos_at_once(home: Path) -> None:
    with serving("--demo") as one, serving("--demo") as other:
        assert one.url != other.url
        assert one.key != other.key
        assert other.say("<<SAY me too>>") == "me too"


def test_the_first_port_that_is_free() -> None:
    taken = first_free_port("127.0.0.1")
    assert taken >= FIRST_PORT
    with socket.create_server(("127.0.0.1", taken)):
        assert first_free_port("127.0.0.1") > taken


def test_no_free_port_names_the_first() -> None:
    assert first_free_port("192.0.2.1") == FIRST_PORT


async def test_in_this_process() -> None:
    """The same as above, where it can be looked at from the inside."""
    keys: list[str] = []
    cancel = trio.CancelScope()

    def announce(address: ServerAddress, config: Config) -> None:
        assert address.port > 0
        keys.extend((config.api_key, config.admin_api_key))
        cancel.cancel()

    with cancel:
        await serve_demo("127.0.0.1", 0, announce)
    assert keys[0].startswith("sk-demo-")
    assert keys[1].startswith("admin-demo-")
