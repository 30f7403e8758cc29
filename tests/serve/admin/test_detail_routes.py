"""History and models of one account, over a real socket."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiro_rs_py.simulator.server import RunningSimulator
from tests.proxy import running_proxy, wait_for
from tests.serve.admin.estate import ADMIN_KEY, Estate, code_of


async def test_the_history_of_an_account_that_was_disabled(estate: Estate) -> None:
    first = (await estate.client.get("credentials/1/history")).json()["history"]
    assert [entry["state"] for entry in first] == ["active"]
    await estate.post("credentials/1/disabled", {"disabled": True})
    await estate.post("credentials/1/disabled", {"disabled": False})
    history = (await estate.client.get("credentials/1/history")).json()["history"]
    assert [entry["state"] for entry in history] == ["active", "disabled", "active"]
    assert history[1].keys() == {"state", "since", "until", "cause"}
    assert history[1]["cause"] == "Manual"


async def test_accounts_there_are_none_of(estate: Estate) -> None:
    for path in ("history", "models"):
        assert code_of(await estate.client.get(f"credentials/9/{path}"))[2] == "credential_not_found"


async def test_models_that_nobody_has_told(estate: Estate) -> None:
    assert (await estate.client.get("credentials/1/models")).json() == {"models": [], "listedAt": None}


async def test_models(simulator: RunningSimulator, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with running_proxy(simulator, tmp_path, admin_api_key=ADMIN_KEY) as proxy:
        await wait_for(lambda: "models known" in caplog.text)
        told = await proxy.client.get("/api/admin/credentials/1/models", headers={"x-api-key": ADMIN_KEY})
        models = {model["upstreamId"]: model for model in told.json()["models"]}
        sonnet = models["claude-sonnet-4.5"]
        assert sonnet["id"] == "claude-sonnet-4-5-20250929"
        assert sonnet["window"] == 200_000
        assert isinstance(sonnet["rateMultiplier"], float)
        # The cheapest of them is what a test call takes.
        answer = await proxy.client.post("/api/admin/credentials/1/test", headers={"x-api-key": ADMIN_KEY})
        cheapest = min(models.values(), key=lambda model: (model["rateMultiplier"], model["upstreamId"]))
        assert answer.json()["model"] == cheapest["upstreamId"]
        assert answer.json()["ok"] is True
