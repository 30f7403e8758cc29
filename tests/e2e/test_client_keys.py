"""Created keys against a running proxy: every way of asking, and what becomes of a key that is taken away."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from kiro_rs_py.config.access_keys import hashed
from kiro_rs_py.serve.client_keys import ClientKey, new_client_key
from kiro_rs_py.serve.key_file import KeyFile
from kiro_rs_py.simulator.server import open_simulator
from tests.proxy import HELD, KEY, STREAM, Proxy, events_of, request_of, running_proxy, text_of

ADMIN_KEY = "sk-9f3kQm7Lr2ZxWv8TnB5y"
COUNT = "/v1/messages/count_tokens"
NOW = datetime.now(UTC)


def put(folder: Path, name: str = "laptop", **changes: Any) -> tuple[ClientKey, str]:
    """A key in the file, as the command line puts it there."""
    key, secret = new_client_key(name, NOW)
    key = replace(key, **changes)
    KeyFile.beside(folder / "credentials.json").update(lambda keys: keys.update({key.id: key}))
    return key, secret


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncGenerator[Proxy, None]:
    async with (
        open_simulator() as simulator,
        running_proxy(simulator, tmp_path, api_key=hashed(KEY), admin_api_key=hashed(ADMIN_KEY)) as proxy,
    ):
        yield proxy


async def ask(proxy: Proxy, key: str, path: str = STREAM, **fields: Any) -> httpx.Response:
    return await proxy.client.post(path, json=request_of(**fields), headers={"x-api-key": key})


async def create(proxy: Proxy, **members: Any) -> tuple[str, str]:
    """The id of a new key, and the key."""
    keyed = {"x-api-key": ADMIN_KEY}
    body = (await proxy.client.post("/api/admin/keys", json={"name": "n", **members}, headers=keyed)).json()
    return body["key"]["id"], body["secret"]


async def test_a_created_key_works_in_every_way(proxy: Proxy) -> None:
    _, secret = await create(proxy)
    assert (await ask(proxy, secret)).json()["content"][0]["text"] == "hello"
    for path in (STREAM, HELD):
        assert text_of(events_of((await ask(proxy, secret, path, stream=True)).text)) == "hello"
    assert (await ask(proxy, secret, COUNT)).json()["input_tokens"] > 0
    bearer = {"x-api-key": "a stale one", "authorization": f"Bearer {secret}"}
    assert (await proxy.client.get("/v1/models", headers=bearer)).status_code == 200
    # The configured key too, of which the configuration has only the hash; the hash itself is no key.
    assert (await ask(proxy, KEY)).status_code == 200
    assert (await ask(proxy, hashed(KEY))).status_code == 401


async def test_a_key_that_is_taken_away_is_refused_at_once_and_the_others_are_not(
    proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    (gone, gone_key), (_, other_key) = await create(proxy), await create(proxy)
    wrong = await ask(proxy, "a wrong one")
    path, keyed = f"/api/admin/keys/{gone}", {"x-api-key": ADMIN_KEY}
    for change in ({"enabled": False}, {"enabled": True, "expiresAt": "2001-01-01T00:00:00Z"}):
        await proxy.client.patch(path, json=change, headers=keyed)
        answer = await ask(proxy, gone_key)
        assert (answer.status_code, answer.json()["error"]) == (401, wrong.json()["error"])
    await proxy.client.patch(path, json={"expiresAt": None}, headers=keyed)
    assert (await ask(proxy, gone_key)).status_code == 200
    await proxy.client.delete(path, headers=keyed)
    answer = await ask(proxy, gone_key)
    assert (answer.status_code, answer.json()["error"]) == (401, wrong.json()["error"])
    assert answer.headers["x-should-retry"] == "false"
    assert (await ask(proxy, other_key)).status_code == 200
    said = [message for message in caplog.messages if message.startswith(f"client key {gone} was sent")]
    assert [message.rpartition(" ")[2] for message in said] == ["disabled", "expired", "deleted"]
    lines = [message for message in caplog.messages if message.startswith("POST /v1/messages 200")]
    assert f"key={gone} " in lines[0]
    assert gone_key not in caplog.text


async def test_a_running_proxy_notices_what_the_command_line_writes(proxy: Proxy, tmp_path: Path) -> None:
    _, secret = put(tmp_path)

    async def status_is(expected: int) -> None:
        while (await ask(proxy, secret, COUNT)).status_code != expected:  # noqa: ASYNC110
            await trio.sleep(0.05)

    with trio.fail_after(30):
        await status_is(200)
        KeyFile.beside(proxy.config.credentials_path).update(dict.clear)
        await status_is(401)


async def test_a_key_may_be_for_some_models_only(tmp_path: Path) -> None:
    _, secret = put(tmp_path, models=("claude-sonnet-4-5",))
    async with open_simulator() as simulator, running_proxy(simulator, tmp_path) as proxy:
        for model in ("claude-sonnet-4-5", "claude-sonnet-4.5", "claude-sonnet-4-5-20250929-thinking"):
            assert (await ask(proxy, secret, model=model)).status_code == 200, model
        large = "x" * 300_000  # parsed in a thread
        for path, more in ((STREAM, {}), (STREAM, {"system": large}), (HELD, {"stream": True}), (COUNT, {})):
            answer = await ask(proxy, secret, path, model="claude-opus-4-5", **more)
            assert answer.status_code == 403
            error = answer.json()["error"]
            assert error["type"] == "permission_error"
            assert "claude-opus-4-5" in error["message"]
        assert (await ask(proxy, KEY, COUNT, model="claude-opus-4-5")).status_code == 200


async def test_uses_are_written_when_the_proxy_ends(tmp_path: Path) -> None:
    key, secret = put(tmp_path)
    _, expired = put(tmp_path, "old", expires_at=NOW - timedelta(seconds=1))
    file = KeyFile.beside(tmp_path / "credentials.json")
    async with open_simulator() as simulator, running_proxy(simulator, tmp_path) as proxy:
        before = file.stamp()
        for _ in range(3):
            assert (await ask(proxy, secret, COUNT)).status_code == 200
        assert (await ask(proxy, expired, COUNT)).status_code == 401
        assert file.stamp() == before  # never in the path of a request
    used = {found.id: found for found in file.load()}
    assert used[key.id].requests == 3
    assert used[key.id].last_used_at
    assert sum(found.requests for found in used.values()) == 3
