"""Imports as jobs: each entry has its own end, and none takes another down (operations §5.8, §6.7)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.serve.admin.imports import KEPT_SECONDS, MOST_ENTRIES, MOST_JOBS, MOST_RUNNING
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import REFRESH, USAGE, Simulator
from tests.serve.admin.estate import Estate, code_of, open_estate, wait_for

ACCOUNTS = tuple(Account(name=name) for name in ("one", "two", "three"))


def simulated() -> Simulator:
    return Simulator(accounts=ACCOUNTS)


async def start(estate: Estate, entries: object, *, verify: bool = True) -> str:
    text = entries if isinstance(entries, str) else json.dumps(entries)
    answer = await estate.post("imports", {"text": text, "verify": verify})
    assert answer.status_code == 202, answer.text
    job: str = answer.json()["id"]
    return job


async def end_of(estate: Estate, job: str) -> dict[str, Any]:
    jobs = estate.admin._imports
    await wait_for(lambda: jobs.get(job).state != "running")
    body: dict[str, Any] = (await estate.client.get(f"imports/{job}")).json()
    return body


def outcomes(body: dict[str, Any]) -> list[tuple[int, str, str]]:
    return [(result["index"], result["name"], result["outcome"]) for result in body["results"]]


async def test_added_duplicate_replaced_invalid_and_failed_in_one(tmp_path: Path) -> None:
    async with open_estate(tmp_path, simulator=simulated(), credentials=lambda s: [s.credential_json("one")]) as estate:
        await estate.client.get("credentials/1/balance")
        present = estate.file()[0]
        simulator = estate.simulator
        broken = {**simulator.credential_json("three"), "refreshToken": "aorAAAAAG" + "x" * 120, "email": "dead"}
        entries: list[JsonObject] = [
            simulator.credential_json("two", label="second"),
            {"refreshToken": present["refreshToken"], "email": None},
            simulator.credential_json("one"),
            {"refreshToken": "cut"},
            broken,
            {"nothing": "useful"},
        ]
        body = await end_of(estate, await start(estate, entries))
        assert (body["state"], body["total"], body["done"]) == ("done", 6, 6)
        assert outcomes(body) == [
            (0, "two@example.com", "added"),
            (1, "entry 2", "duplicate"),
            (2, "one@example.com", "replaced"),
            (3, "entry 4", "invalid"),
            (4, "dead", "invalid"),
            (5, "entry 6", "invalid"),
        ]
        assert body["results"][0]["credentialId"] == 2
        assert body["results"][2]["credentialId"] == 1
        assert "truncated" in body["results"][3]["message"]
        assert sorted(await estate.listed()) == [1, 2]
        assert len(estate.file()) == 2
        assert not any(str(entry["refreshToken"]) in json.dumps(body) for entry in (present, broken))


async def test_trouble_of_the_service_is_a_failure_of_its_entry_only(tmp_path: Path) -> None:
    async with open_estate(tmp_path, simulator=simulated(), credentials=lambda s: []) as estate:
        estate.simulator.fail_next(REFRESH, 500, times=2)
        entries = [estate.simulator.credential_json("one"), estate.simulator.credential_json("two")]
        body = await end_of(estate, await start(estate, entries))
        assert [outcome for _, _, outcome in outcomes(body)] == ["failed", "added"]
        assert [entry["email"] for entry in estate.file()] == ["two@example.com"]


async def test_without_verifying_nobody_is_asked(tmp_path: Path) -> None:
    async with open_estate(tmp_path, simulator=simulated(), credentials=lambda s: []) as estate:
        entries = [estate.simulator.credential_json("one"), {"refreshToken": "aor" + "y" * 120}]
        body = await end_of(estate, await start(estate, entries, verify=False))
        assert [outcome for _, _, outcome in outcomes(body)] == ["added", "added"]
        assert not estate.simulator.requests
        assert len(estate.file()) == 2


async def test_what_cannot_be_found_out_is_said(tmp_path: Path) -> None:
    async with open_estate(tmp_path, simulator=simulated(), credentials=lambda s: []) as estate:
        estate.simulator.fail_next(USAGE, 500, times=8)
        body = await end_of(estate, await start(estate, [estate.simulator.credential_json("one")]))
        [result] = body["results"]
        assert result["outcome"] == "added"
        assert "could not be asked" in result["message"]


async def test_other_formats(tmp_path: Path) -> None:
    """A manager's export, and a bare token (operations §11.3)."""
    async with open_estate(tmp_path, simulator=simulated(), credentials=lambda s: []) as estate:
        one, two = (estate.simulator.credential_json(name) for name in ("one", "two"))
        export = {
            "version": "1.2",
            "accounts": [
                {"email": "one@example.com", "nickname": "first", "credentials": {"refreshToken": one["refreshToken"]}},
                {"email": "broken@example.com", "status": "error", "credentials": {"refreshToken": "x"}},
            ],
        }
        body = await end_of(estate, await start(estate, export))
        assert [outcome for _, _, outcome in outcomes(body)] == ["added", "invalid"]
        assert "marked as broken" in body["results"][1]["message"]
        assert estate.file()[0]["label"] == "first"
        body = await end_of(estate, await start(estate, str(two["refreshToken"])))
        assert outcomes(body) == [(0, "two@example.com", "added")]


async def test_cancel_between_and_in_the_middle(tmp_path: Path) -> None:
    """What was being tried out stays: its token may be new already."""
    async with open_estate(tmp_path, simulator=simulated(), credentials=lambda s: []) as estate:
        hold = estate.simulator.hold_next(REFRESH)
        names = ("one", "two", "three")
        job = await start(estate, [estate.simulator.credential_json(name) for name in names])
        await hold.arrived.wait()
        running = (await estate.client.get(f"imports/{job}")).json()
        assert (running["state"], running["total"], running["done"]) == ("running", 3, 0)
        assert (await estate.client.delete(f"imports/{job}")).status_code == 204
        body = await end_of(estate, job)
        hold.release.set()
        assert body["state"] == "cancelled"
        assert outcomes(body) == [(0, "one@example.com", "added")]
        assert "cancelled" in body["results"][0]["message"]
        await wait_for(lambda: len(estate.simulator.grants.refreshes) == 1)
        await wait_for(lambda: estate.file()[0]["refreshToken"] == estate.simulator.grants.refreshes[0].issued)
        assert (await estate.client.delete(f"imports/{job}")).status_code == 204


async def test_a_full_disk(tmp_path: Path) -> None:
    async with open_estate(tmp_path, simulator=simulated(), credentials=lambda s: []) as estate:
        lock = estate.path.with_name("credentials.json.lock")
        lock.unlink(missing_ok=True)
        lock.mkdir()
        body = await end_of(estate, await start(estate, [estate.simulator.credential_json("one")]))
        assert outcomes(body) == [(0, "one@example.com", "failed")]
        assert not estate.simulator.grants.refreshes


async def test_a_bug_with_one_entry_ends_that_entry_only(tmp_path: Path) -> None:
    async with open_estate(tmp_path, simulator=simulated(), credentials=lambda s: []) as estate:
        estate.admin._imports._enrolling = None  # type: ignore[assignment]
        body = await end_of(estate, await start(estate, [estate.simulator.credential_json("one")]))
        assert outcomes(body) == [(0, "one@example.com", "failed")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_field"),
        ({"text": ""}, "invalid_field"),
        ({"text": 7}, "invalid_field"),
        ({"text": "x", "verify": "yes"}, "invalid_field"),
        ({"text": "[{}]", "verify": 1}, "invalid_field"),
        ({"text": "x", "more": 1}, "invalid_field"),
        ({"text": "planted words"}, "unusable_source"),
        ({"text": "{planted"}, "unusable_source"),
        ({"text": "[]"}, "unusable_source"),
        ({"text": "[" * 50_000}, "unusable_source"),
        ({"text": '{"a": 1}'}, "unusable_source"),
        ({"text": json.dumps([{"refreshToken": "x"}] * (MOST_ENTRIES + 1))}, "too_many_entries"),
    ],
)
async def test_what_cannot_be_read(estate: Estate, body: dict[str, Any], code: str) -> None:
    answer = await estate.post("imports", body)
    assert code_of(answer) == (400, "invalid_request", code)
    assert "planted" not in answer.text
    assert not estate.admin._imports._imports


async def test_too_long_a_text(estate: Estate) -> None:
    assert code_of(await estate.post("imports", {"text": "x" * (9 * 2**20)}))[:2] == (400, "invalid_request")
    assert code_of(await estate.post("imports", {"text": "x" * (17 * 2**20)}))[0] == 413


async def test_only_so_many_at_once(tmp_path: Path) -> None:
    async with open_estate(tmp_path, simulator=simulated(), credentials=lambda s: []) as estate:
        holds = []
        for account in ACCOUNTS[:MOST_RUNNING]:
            hold = estate.simulator.hold_next(REFRESH)
            holds.append(hold)
            await start(estate, [estate.simulator.credential_json(account.name)])
            await hold.arrived.wait()
        answer = await estate.post("imports", {"text": "aor" + "x" * 120})
        assert code_of(answer) == (429, "invalid_request", "too_many_imports")
        for hold in holds:
            hold.release.set()


async def test_ended_ones_are_forgotten(estate: Estate) -> None:
    jobs = [await start(estate, {"refreshToken": "cut"}) for _ in range(1)]
    await end_of(estate, jobs[0])
    estate.clocks.advance(KEPT_SECONDS + 1)
    assert code_of(await estate.client.get(f"imports/{jobs[0]}")) == (404, "not_found", "import_not_found")
    for _ in range(MOST_JOBS + 3):
        await end_of(estate, await start(estate, {"refreshToken": "cut"}))
    assert len(estate.admin._imports._imports) <= MOST_JOBS + 1
