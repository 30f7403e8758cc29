"""The composition root, in process; real signals to a real process are in tests/e2e/test_shutdown.py."""

from __future__ import annotations

import gc
import json
import logging
import platform
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest
import trio

from kiro_rs_py.config import Config
from kiro_rs_py.errors import BindError, ConfigError, CredentialFileError
from kiro_rs_py.serve.client_keys import new_client_key, utc_now
from kiro_rs_py.serve.key_file import KeyFile
from kiro_rs_py.serve.listener import ServerAddress
from kiro_rs_py.serve.run import RELOADABLE, serve
from kiro_rs_py.simulator.server import RunningSimulator
from tests.proxy import KEY, Proxy


@pytest.fixture
def collector() -> Iterator[None]:
    """The garbage collector's settings as they were."""
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def config_of(folder: Path, simulator: RunningSimulator | None = None, **settings: object) -> Config:
    path = folder / "credentials.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps([simulator.simulator.credential_json()] if simulator else []))
    url = simulator.url if simulator else None
    config = Config(port=0, api_key=KEY, credentials_path=path, upstream_url=url)
    return replace(config, **settings)  # type: ignore[arg-type]


async def test_without_a_key_it_does_not_serve(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="api_key"):
        await serve(config_of(tmp_path, api_key=""), handle_signals=False)


async def test_a_busy_port_is_told_first(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(BindError):
            await serve(config_of(tmp_path, port=other.getsockname()[1]), handle_signals=False)


async def test_a_broken_credentials_file_frees_the_port_again(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = config_of(tmp_path, port=port)
    config.credentials_path.write_text("{")
    with pytest.raises(CredentialFileError):
        await serve(config, handle_signals=False)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))


async def test_without_accounts_it_serves_but_is_not_ready(tmp_path: Path) -> None:
    stop = trio.Event()
    told: list[ServerAddress] = []
    async with trio.open_nursery() as nursery:
        start = partial(serve, config_of(tmp_path), stop=stop, handle_signals=False, on_ready=told.append)
        address = await nursery.start(start)
        assert told == [address]
        async with httpx.AsyncClient(base_url=address.url) as client:
            assert (await client.get("/healthz")).status_code == 200
            assert (await client.get("/readyz")).status_code == 503
        stop.set()


async def test_with_an_account_it_is_ready(proxy: Proxy) -> None:
    assert (await proxy.client.get("/readyz")).json() == {"status": "ready", "problems": []}


@pytest.mark.usefixtures("collector")
async def test_signals(tmp_path: Path, simulator: RunningSimulator, caplog: pytest.LogCaptureFixture) -> None:
    """SIGHUP takes over what can change and names what cannot, and a broken configuration changes nothing."""
    caplog.set_level(logging.INFO, "kiro_rs_py")
    config = config_of(tmp_path, simulator)
    answers: list[Config | Exception] = [
        ConfigError(["api_key is missing"]),
        RuntimeError("a bug in the reader"),
        replace(config, api_key="another-key", region="eu-west-1", ping_interval_seconds=1.0),
    ]

    def read_config() -> Config:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def status_of(key: str) -> int:
        return (await client.get("/v1/models", headers={"x-api-key": key})).status_code

    async def hang_up(*, until: str) -> None:
        signal.raise_signal(signal.SIGHUP)
        with trio.fail_after(5):
            while until not in caplog.messages:  # noqa: ASYNC110
                await trio.sleep(0.01)

    async with trio.open_nursery() as nursery:
        address = await nursery.start(partial(serve, config, reload=read_config))
        assert gc.get_threshold() == (50_000, 50, 100)
        async with httpx.AsyncClient(base_url=address.url) as client:
            await hang_up(until="not reloaded: api_key is missing")
            await hang_up(until="not reloaded")
            assert await status_of(KEY) == 200
            await hang_up(until="reloaded")
            assert await status_of(KEY) == 401
            assert await status_of("another-key") == 200
        assert "region has changed, which takes effect at the next start" in caplog.messages
        assert not [message for message in caplog.messages if message.startswith("ping_interval_seconds")]
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.usefixtures("collector")
async def test_without_a_reader_of_the_configuration_only_accounts_are_reloaded(
    tmp_path: Path, simulator: RunningSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kiro_rs_py")
    config = config_of(tmp_path)
    async with trio.open_nursery() as nursery:
        address = await nursery.start(partial(serve, config))
        async with httpx.AsyncClient(base_url=address.url) as client:
            assert (await client.get("/readyz")).status_code == 503
            config_of(tmp_path, simulator)
            signal.raise_signal(signal.SIGHUP)
            with trio.fail_after(5):
                while (await client.get("/readyz")).status_code != 200:  # noqa: ASYNC110
                    await trio.sleep(0.01)
        signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("collector")
async def test_a_hang_up_reads_the_client_keys_again(
    tmp_path: Path, simulator: RunningSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kiro_rs_py")
    config = config_of(tmp_path, simulator)
    file = KeyFile.beside(config.credentials_path)
    key, secret = new_client_key("laptop", utc_now())

    async def hang_up(*, until: str) -> None:
        signal.raise_signal(signal.SIGHUP)
        with trio.fail_after(5):
            while not any(message.startswith(until) for message in caplog.messages):  # noqa: ASYNC110
                await trio.sleep(0.01)

    async with trio.open_nursery() as nursery:
        address = await nursery.start(partial(serve, config))
        async with httpx.AsyncClient(base_url=address.url, headers={"x-api-key": secret}) as client:
            file.path.write_text("damaged")
            await hang_up(until=f"not reloaded: {file.path} is no file of client keys")
            file.path.unlink()
            file.update(lambda keys: keys.update({key.id: key}))
            await hang_up(until="reloaded")
            assert (await client.get("/v1/models")).status_code == 200
        signal.raise_signal(signal.SIGTERM)


def test_reloadable_settings_exist() -> None:
    assert set(Config.__dataclass_fields__) >= RELOADABLE


ARENAS = """
import ctypes, sys, threading
from kiro_rs_py.serve.run import _tune_allocator

_tune_allocator()
together = threading.Barrier(8)

def work():
    together.wait()  # all at once, or one arena would serve them in turn
    kept.append(ctypes.create_string_buffer(60_000))
    together.wait()

kept = []
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, out)
libc.fclose(out)
"""


@pytest.mark.skipif(not platform.libc_ver()[0].startswith("glibc"), reason="only glibc has arenas")
async def test_all_threads_share_one_arena(tmp_path: Path) -> None:
    report = tmp_path / "arenas.xml"
    await trio.run_process([sys.executable, "-c", ARENAS, str(report)])
    assert report.read_text().count("<heap nr=") == 1
