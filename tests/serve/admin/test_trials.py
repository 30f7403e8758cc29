"""Test calls, over real sockets: what the account does is an answer, what cannot be tried is a refusal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import trio

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import CHAT
from kiro_rs_py.simulator.scenario import Scenario
from tests.serve.admin.estate import Estate, code_of, open_estate

ONE, TWO = Account(name="one"), Account(name="two")


async def test_a_call_on_exactly_that_account(tmp_path: Path) -> None:
    async with open_estate(tmp_path, ONE, TWO) as estate:
        answer = await estate.client.post("credentials/2/test")
        body = answer.json()
        assert answer.status_code == 200
        assert (body["ok"], body["model"], body["error"]) == (True, "claude-haiku-4-5", None)
        assert 0 <= body["firstEventMs"] <= body["totalMs"]
        assert 0 < len(body["text"]) <= 200
        listed = await estate.listed()
        assert (listed[1]["successCount"], listed[2]["successCount"]) == (0, 1)
        [entry] = (await estate.client.get("audit")).json()["audit"]
        assert (entry["action"], entry["credentialId"], entry["outcome"]) == ("credential.test", 2, "done")


async def test_a_model_may_be_named(estate: Estate) -> None:
    body = (await estate.post("credentials/1/test", {"model": "claude-opus-4-5"})).json()
    assert (body["ok"], body["model"]) == (True, "claude-opus-4-5")


async def test_the_thinking_suffix_is_the_one_in_force(tmp_path: Path) -> None:
    """A reload may have changed it."""
    async with open_estate(tmp_path, models={"aliases": {"fast": "claude-haiku-4-5"}}) as estate:
        assert (await estate.post("credentials/1/test", {"model": "fast-deep"})).status_code == 400
        estate.admin.configure(replace(estate.config, thinking_suffix="-deep"))
        assert (await estate.post("credentials/1/test", {"model": "fast-deep"})).json()["ok"] is True


@pytest.mark.parametrize("body", [{"model": "no such model"}, {"model": 7}, {"other": 1}, {"model": "x" * 300}])
async def test_bad_input_asks_nobody(estate: Estate, body: dict[str, object]) -> None:
    answer = await estate.post("credentials/1/test", body)
    assert code_of(answer) == (400, "invalid_request", "invalid_field")
    assert answer.json()["error"]["field"] in ("model", "other")
    assert (await estate.listed())[1]["lastUsedAt"] is None
    assert (await estate.post("credentials/1/test")).status_code == 200  # nothing was spent of the pause


async def test_once_in_ten_seconds_for_each_account(tmp_path: Path) -> None:
    async with open_estate(tmp_path, ONE, TWO) as estate:
        assert (await estate.client.post("credentials/1/test")).status_code == 200
        answer = await estate.client.post("credentials/1/test")
        assert code_of(answer) == (429, "invalid_request", "too_many_tests")
        assert 1 <= int(answer.headers["retry-after"]) <= 10
        assert (await estate.client.post("credentials/2/test")).status_code == 200
        estate.clocks.advance(11)
        for _ in range(10):
            estate.admin.beat()
        assert not estate.admin._trials._begun
        assert (await estate.client.post("credentials/1/test")).status_code == 200


async def test_one_at_a_time_however_long_it_takes(estate: Estate) -> None:
    hold = estate.simulator.hold_next(CHAT)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(estate.client.post, "credentials/1/test")
        await hold.arrived.wait()
        estate.clocks.advance(11)
        assert code_of(await estate.client.post("credentials/1/test"))[2] == "too_many_tests"
        hold.release.set()


async def test_a_failure_is_an_answer_and_counts_as_any_other(estate: Estate) -> None:
    estate.simulator.accounts[next(iter(estate.simulator.accounts))].suspended = True
    body = (await estate.client.post("credentials/1/test")).json()
    assert (body["ok"], body["firstEventMs"], body["text"]) == (False, None, None)
    assert body["error"]["code"] == "AccountSuspended"
    assert (await estate.listed())[1]["state"] == "suspended"
    assert (await estate.client.get("audit")).json()["audit"][0]["outcome"] == "AccountSuspended"
    estate.clocks.advance(11)
    answer = await estate.client.post("credentials/1/test")
    assert code_of(answer) == (409, "invalid_request", "not_active")


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ([{"exception": {"name": "InternalServerException", "message": "sorry"}}], "UpstreamUnavailable"),
        ([{"text": "rea"}, {"exception": {"name": "ThrottlingException", "message": "slow"}}], "Throttled"),
        ([{"frame": {"event": "meteringEvent", "payload": {"usage": 0.1}}}, {"end": True}], "EmptyAnswer"),
    ],
)
async def test_an_answer_that_breaks_or_says_nothing_is_no_success(
    estate: Estate, steps: list[JsonObject], code: str
) -> None:
    estate.simulator.scenario = Scenario.steps(*steps * 9)
    body = (await estate.client.post("credentials/1/test")).json()
    assert (body["ok"], body["error"]["code"]) == (False, code)


async def test_a_dead_login_is_named(estate: Estate) -> None:
    name = next(iter(estate.simulator.accounts))
    estate.simulator.grants.revoke(estate.simulator.accounts[name])
    body = (await estate.client.post("credentials/1/test")).json()
    assert body["ok"] is False
    assert body["error"]["message"]
    assert (await estate.listed())[1]["state"] == "reauth_required"


async def test_accounts_that_cannot_be_tried(estate: Estate) -> None:
    assert code_of(await estate.client.post("credentials/9/test"))[2] == "credential_not_found"
    await estate.post("credentials/1/disabled", {"disabled": True})
    answer = await estate.client.post("credentials/1/test")
    assert code_of(answer) == (409, "invalid_request", "not_active")
    assert "Manual" in answer.json()["error"]["message"]
