"""Kept before it is tried, taken back if it is no good (operations §5.3, §5.8)."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.errors import UpstreamUnavailable
from kiro_rs_py.serve.admin.enrolling import check_proxy, read_entry
from kiro_rs_py.serve.admin.refusals import Refusal
from kiro_rs_py.simulator.app import REFRESH
from tests.serve.admin.estate import Estate

WHOLE = "aorAAAAAG" + "x" * 120


def dead() -> JsonObject:
    return {"refreshToken": WHOLE}


def block_the_lock(estate: Estate) -> None:
    lock = estate.path.with_name("credentials.json.lock")
    lock.unlink(missing_ok=True)
    lock.mkdir()


async def test_tokens_are_on_disk_before_they_are_spent(estate: Estate) -> None:
    enrolling = estate.admin._enrolling
    hold = estate.simulator.hold_next(REFRESH)
    entry = estate.simulator.credential_json("demo")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(enrolling.add, entry)
        await hold.arrived.wait()
        assert estate.file()[1]["refreshToken"] == entry["refreshToken"]
        hold.release.set()


async def test_what_cannot_be_taken_back_is_told_to_the_log(estate: Estate, caplog: pytest.LogCaptureFixture) -> None:
    enrolling = estate.admin._enrolling
    number = await enrolling.keep(dead())
    block_the_lock(estate)
    with pytest.raises(Refusal) as refused:
        await enrolling.verify(number)
    assert refused.value.code in ("invalid_refresh_token", "upstream_unavailable")
    assert "cannot be taken out again" in caplog.text
    assert WHOLE not in caplog.text
    assert [record for record in caplog.records if record.levelno == logging.ERROR]


async def test_an_account_that_somebody_else_removes_while_it_is_tried(estate: Estate) -> None:
    enrolling = estate.admin._enrolling
    number = await enrolling.keep(dead())
    estate.path.write_text("[]")
    with pytest.raises(Refusal):
        await enrolling.verify(number)
    with pytest.raises(Refusal) as refused:
        await enrolling.learn(number)
    assert refused.value.code == "credential_not_found"


async def test_trouble_with_the_file_after_the_trial_is_only_a_doubt(estate: Estate) -> None:
    enrolling = estate.admin._enrolling
    number = await enrolling.keep(estate.simulator.credential_json("builder"))
    block_the_lock(estate)
    added = await enrolling.learn(number)
    assert added.credential.id == number
    assert "cannot be locked" in added.doubts[0]


@pytest.mark.parametrize(
    ("entry", "code", "field"),
    [
        ({}, "invalid_field", None),
        ({"refreshToken": "short"}, "invalid_refresh_token", "refreshToken"),
        ({"refreshToken": WHOLE, "clientId": "x", "authMethod": "idc"}, "invalid_credential", None),
        ({"refreshToken": WHOLE, "proxyUrl": "x://y"}, "invalid_field", "proxyUrl"),
        ({"refreshToken": WHOLE, "disabled": 1}, "invalid_field", "disabled"),
    ],
)
def test_entries_that_cannot_be_used(entry: dict[str, Any], code: str, field: str | None) -> None:
    with pytest.raises(Refusal) as refused:
        read_entry(entry)
    assert (refused.value.status, refused.value.code, refused.value.field) == (400, code, field)
    assert WHOLE not in refused.value.message


def test_an_id_that_is_brought_along_is_not_ours() -> None:
    assert read_entry({"refreshToken": WHOLE, "id": 7}).id == 0


@pytest.mark.parametrize("url", ["direct", "DIRECT", "http://127.0.0.1:1", "socks5h://u:p@proxy.example"])
def test_proxies(url: str) -> None:
    check_proxy(url)


async def test_an_api_key_while_the_service_is_away(estate: Estate) -> None:
    async def away(*_: object, **__: object) -> object:
        raise UpstreamUnavailable("gone")

    estate.simulator.fail_next("/getUsageLimits", 500, times=8)
    with pytest.raises(Refusal) as refused:
        await estate.admin._enrolling.add({"kiroApiKey": "ksk_" + "x" * 20})
    assert (refused.value.status, refused.value.code) == (502, "upstream_unavailable")
    assert len(estate.file()) == 1
