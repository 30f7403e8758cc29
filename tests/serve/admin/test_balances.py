"""Asked rarely, shared, remembered; failures too (operations §5.7, §5.8)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import USAGE, Simulator
from kiro_rs_py.upstream.state import StateStore
from tests.serve.admin.estate import Estate, code_of, open_estate


async def balance(estate: Estate, query: str = "") -> httpx.Response:
    return await estate.client.get(f"credentials/1/balance{query}")


def calls(estate: Estate) -> int:
    return estate.simulator.counts[USAGE]


async def test_remembered_for_five_minutes(estate: Estate) -> None:
    first = (await balance(estate)).json()
    estate.clocks.advance(299)
    assert (await balance(estate)).json() == first
    assert calls(estate) == 1
    estate.clocks.advance(1)
    assert (await balance(estate)).status_code == 200
    assert calls(estate) == 2
    assert (await estate.listed())[1]["balance"]["usageLimit"] == first["usageLimit"]


@pytest.mark.parametrize("query", ["?fresh=1", "?refresh=true"])
async def test_fresh_has_a_floor_of_half_a_minute(estate: Estate, query: str) -> None:
    for _ in range(3):
        assert (await balance(estate, query)).status_code == 200
    assert calls(estate) == 1
    estate.clocks.advance(30)
    await balance(estate, query)
    assert calls(estate) == 2
    await balance(estate, "?fresh=0")
    assert calls(estate) == 2


async def test_failures_are_remembered_for_a_while(estate: Estate) -> None:
    estate.simulator.fail_next(USAGE, 500, times=100)
    assert code_of(await balance(estate))[0] == 502
    asked = calls(estate)
    for query in ("", "?fresh=1", ""):
        assert code_of(await balance(estate, query))[0] == 502
    assert calls(estate) == asked
    estate.clocks.advance(46)
    assert code_of(await balance(estate))[0] == 502
    assert calls(estate) > asked


async def test_a_missing_profile_is_looked_up(tmp_path: Path) -> None:
    arn = "arn:aws:codewhisperer:us-east-1:123456789012:profile/ABCDEF"
    account = Account(name="a", method="idc", profile_arn=arn, usage_arn="required")
    async with open_estate(
        tmp_path, account, credentials=lambda simulator: [simulator.credential_json("a", profileArn=None)]
    ) as estate:
        assert (await balance(estate)).status_code == 200
        assert estate.pool.credential(1).profile_arn == arn


async def test_the_last_balance_stays_in_the_list_when_the_next_call_fails(estate: Estate) -> None:
    await balance(estate)
    estate.clocks.advance(301)
    estate.simulator.fail_next(USAGE, 500, times=100)
    assert code_of(await balance(estate))[0] == 502
    assert (await estate.listed())[1]["balance"]["usageLimit"] == 2000


async def test_a_failure_does_not_take_a_good_balance_away(estate: Estate) -> None:
    first = (await balance(estate)).json()
    estate.clocks.advance(31)
    estate.simulator.fail_next(USAGE, 500, times=100)
    assert code_of(await balance(estate, "?fresh=1"))[0] == 502
    assert (await balance(estate)).json() == first


async def test_all_who_ask_at_once_share_one_call(estate: Estate) -> None:
    answers: list[httpx.Response] = []
    hold = estate.simulator.hold_next(USAGE)

    async def ask() -> None:
        answers.append(await balance(estate))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await hold.arrived.wait()
        for _ in range(4):
            nursery.start_soon(ask)
        await trio.sleep(0.2)
        hold.release.set()
    assert [answer.status_code for answer in answers] == [200] * 5
    assert calls(estate) == 1


async def test_a_shared_failure_fails_for_all(estate: Estate) -> None:
    answers: list[httpx.Response] = []
    hold = estate.simulator.hold_next(USAGE)
    estate.simulator.fail_next(USAGE, 500, times=100)

    async def ask() -> None:
        answers.append(await balance(estate))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await hold.arrived.wait()
        nursery.start_soon(ask)
        await trio.sleep(0.2)
        hold.release.set()
    assert {code_of(answer)[2] for answer in answers} == {"upstream_unavailable"}


async def test_a_refused_token_is_replaced_once(estate: Estate) -> None:
    estate.simulator.grants.expire(estate.simulator.accounts["demo"])
    assert (await balance(estate)).status_code == 200
    assert len(estate.simulator.grants.refreshes) == 1


async def test_what_it_tells_of_the_owner_is_kept(tmp_path: Path) -> None:
    def entries(simulator: Simulator) -> list[Any]:
        return [{**simulator.credential_json("builder"), "email": None}]

    async with open_estate(tmp_path, credentials=entries) as estate:
        await balance(estate)
        listed = (await estate.listed())[1]
        assert (listed["email"], listed["subscriptionTitle"]) == ("builder@example.com", "KIRO FREE")
        assert estate.file()[0]["email"] == "builder@example.com"


async def test_remembered_across_a_restart(estate: Estate) -> None:
    first = (await balance(estate)).json()
    saved = (await StateStore.beside(estate.path).read()).balances[1]
    assert saved.data["usageLimit"] == first["usageLimit"]
    assert abs(saved.cached_at - estate.clocks.now()) < timedelta(minutes=1)
    await estate.admin._balances.load()
    assert (await balance(estate)).json() == first
    assert calls(estate) == 1


async def test_an_account_that_is_removed_meanwhile(estate: Estate) -> None:
    hold = estate.simulator.hold_next(USAGE)
    answers: list[httpx.Response] = []

    async def ask() -> None:
        answers.append(await balance(estate))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await hold.arrived.wait()
        await estate.client.delete("credentials/1?force=1")
        hold.release.set()
    assert code_of(answers[0])[0] in (404, 502)
    assert code_of(await balance(estate))[0] == 404
