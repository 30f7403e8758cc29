"""Every endpoint about accounts, on a real socket."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import REFRESH, USAGE, Simulator
from kiro_rs_py.simulator.server import RunningSimulator
from kiro_rs_py.upstream.credential import Credential
from tests.proxy import running_proxy, wait_for
from tests.serve.admin.estate import ADMIN_KEY, Estate, code_of, open_estate

ONE = Account(name="one", profile_arn="arn:aws:codewhisperer:us-east-1:000000000001:profile/ONE")
TWO = Account(name="two", method="idc", provider="BuilderId", plan="KIRO FREE")
KEYED = Account(name="keyed", method="api_key", provider="ApiKey", api_key="ksk_planted_secret_key_1234")

# operations §5.5, §5.6, §5.7, in their order
STATUS_MEMBERS = [
    "id", "priority", "disabled", "failureCount", "isCurrent", "expiresAt", "authMethod", "hasProfileArn",
    "refreshTokenHash", "email", "successCount", "lastUsedAt",
]  # fmt: skip
OUR_MEMBERS = {
    "state", "stateCause", "stateSince", "stateUntil", "label", "subscriptionTitle", "provider", "authRegion",
    "apiRegion", "inFlight", "failureTotal", "lastError", "clientSecretExpiresAt", "hasProxy", "endpoint",
    "maskedApiKey", "balance", "readOnly",
}  # fmt: skip
BALANCE_MEMBERS = {
    "id", "email", "subscriptionTitle", "currentUsage", "usageLimit", "remaining", "usagePercentage", "nextResetAt",
}  # fmt: skip


def fresh_token(simulator: Simulator, account: str | None = None) -> str:
    token = simulator.credential_json(account)["refreshToken"]
    assert isinstance(token, str)
    return token


# --- the list -------------------------------------------------------------------------------------------------------


async def test_the_list_has_kiro_rs_s_members_first_and_nulls_written(tmp_path: Path) -> None:
    async with open_estate(tmp_path, ONE, TWO, KEYED) as estate:
        answer = await estate.client.get("credentials")
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        body = answer.json()
        assert list(body)[:4] == ["total", "available", "currentId", "credentials"]
        assert (body["total"], body["available"], body["currentId"], body["problems"]) == (3, 3, 1, [])
        for entry in body["credentials"]:
            assert list(entry)[: len(STATUS_MEMBERS)] == STATUS_MEMBERS
            assert entry.keys() >= OUR_MEMBERS
        one, two, keyed = body["credentials"]
        token = estate.file()[0]["refreshToken"]
        assert one["refreshTokenHash"] == hashlib.sha256(token.encode()).hexdigest()
        assert (one["isCurrent"], two["isCurrent"]) == (True, False)
        assert (one["authMethod"], two["authMethod"], keyed["authMethod"]) == ("social", "idc", "api_key")
        assert (one["hasProfileArn"], two["hasProfileArn"]) == (True, False)
        assert one["lastUsedAt"] is None
        assert one["state"] == "active"
        assert one["expiresAt"].endswith("+00:00")
        assert keyed["refreshTokenHash"] is None
        assert keyed["maskedApiKey"] == "ksk_…1234"


async def test_the_list_is_sorted_by_priority_and_says_what_is_left_out(tmp_path: Path) -> None:
    def entries(simulator: Simulator) -> list[JsonObject]:
        return [
            simulator.credential_json(ONE.name, priority=5),
            {"refreshToken": 7},
            simulator.credential_json(TWO.name, priority=1),
        ]

    async with open_estate(tmp_path, simulator=Simulator(accounts=(ONE, TWO)), credentials=entries) as estate:
        body = (await estate.client.get("credentials")).json()
        assert [entry["priority"] for entry in body["credentials"]] == [1, 5]
        assert body["currentId"] == body["credentials"][0]["id"]
        assert body["problems"] == [{"index": 1, "sentence": "entry 2: refreshToken must be text"}]


async def test_without_a_usable_account_nobody_is_current(estate: Estate) -> None:
    await estate.post("credentials/1/disabled", {"disabled": True})
    body = (await estate.client.get("credentials")).json()
    assert (body["total"], body["available"], body["currentId"]) == (1, 0, 0)


async def test_two_hundred_accounts(tmp_path: Path) -> None:
    def entries(simulator: Simulator) -> list[JsonObject]:
        return [simulator.credential_json(priority=number) for number in range(200)]

    async with open_estate(tmp_path, credentials=entries) as estate:
        assert len(await estate.listed()) == 200
        ids = list(range(1, 201))
        answer = await estate.post("credentials/batch", {"ids": ids, "action": "disable"})
        assert [result["ok"] for result in answer.json()["results"]] == [True] * 200
        assert {entry["state"] for entry in (await estate.listed()).values()} == {"disabled"}


@pytest.mark.parametrize("base", ["/api/admin/credentials", "/api/admin/v1/credentials", "/api/admin/credentials/"])
async def test_both_bases_and_a_slash(estate: Estate, base: str) -> None:
    assert (await estate.client.get(estate.url + base)).status_code == 200


# --- adding ---------------------------------------------------------------------------------------------------------


async def test_add_a_social_token(tmp_path: Path) -> None:
    async with open_estate(tmp_path, ONE, simulator=Simulator(accounts=(ONE, TWO))) as estate:
        two = estate.simulator.credential_json("two")
        body = {
            "refreshToken": f" {two['refreshToken']} ",
            "authMethod": "builder-id",
            "clientId": two["clientId"],
            "clientSecret": two["clientSecret"],
            "priority": 3,
            "authRegion": "us-east-1",
            "apiRegion": "eu-central-1",
            "email": None,
            "unknown": [1],
        }
        answer = await estate.post("credentials", body)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {
            "success": True,
            "message": "Credential added successfully, ID: 2",
            "credentialId": 2,
            "email": "two@example.com",
            "replaced": False,
            "warnings": [],
        }
        entry = estate.file()[1]
        assert entry["refreshToken"] != two["refreshToken"]  # proved by a refresh, whose new token is stored
        assert (entry["priority"], entry["authMethod"], entry["email"]) == (3, "idc", "two@example.com")
        assert entry["machineId"]  # fixed, so that it does not change with each rotation (operations §10.2, D25)
        listed = (await estate.listed())[2]
        assert listed["subscriptionTitle"] == "KIRO FREE"
        assert listed["balance"]["usageLimit"] == 50


async def test_add_an_api_key(tmp_path: Path) -> None:
    async with open_estate(tmp_path, ONE, simulator=Simulator(accounts=(ONE, KEYED))) as estate:
        answer = await estate.post("credentials", {"kiroApiKey": KEYED.api_key, "label": "work"})
        assert answer.status_code == 200, answer.text
        assert (await estate.listed())[2]["label"] == "work"
        again = await estate.post("credentials", {"kiroApiKey": KEYED.api_key})
        assert code_of(again) == (400, "invalid_request", "duplicate_account")


async def test_the_same_account_by_another_token_gets_the_new_one(estate: Estate) -> None:
    """No twin (operations §5.8): found out by asking whose the token is."""
    before = estate.file()[0]["refreshToken"]
    await estate.client.get("credentials/1/balance")  # the account's owner becomes known
    answer = await estate.post("credentials", {"refreshToken": fresh_token(estate.simulator)})
    assert answer.status_code == 200
    assert (answer.json()["credentialId"], answer.json()["replaced"]) == (1, True)
    assert "same account" in answer.json()["message"]
    [entry] = estate.file()
    assert entry["refreshToken"] != before
    assert list(await estate.listed()) == [1]
    assert (await estate.post("credentials/1/refresh")).status_code == 200


TOO_SHORT = "aorAAAAAGshort"
WHOLE = "aorAAAAAG" + "x" * 120


# operations §5.3: the intended column
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "invalid_request", "invalid_refresh_token")),
        ({"refreshToken": ""}, (400, "invalid_request", "invalid_refresh_token")),
        ({"refreshToken": TOO_SHORT}, (400, "invalid_request", "invalid_refresh_token")),
        ({"refreshToken": "aorAAAAAG..." + "x" * 100}, (400, "invalid_request", "invalid_refresh_token")),
        ({"refreshToken": WHOLE}, (400, "invalid_request", "invalid_refresh_token")),
        ({"refreshToken": WHOLE, "authMethod": "idc"}, (400, "invalid_request", "invalid_credential")),
        (
            {"refreshToken": WHOLE, "authMethod": "idc", "clientId": "x"},
            (400, "invalid_request", "invalid_credential"),
        ),
        ({"refreshToken": WHOLE, "authMethod": "saml"}, (400, "invalid_request", "invalid_field")),
        ({"refreshToken": WHOLE, "authRegion": "evil.example/?"}, (400, "invalid_request", "invalid_field")),
        ({"refreshToken": WHOLE, "region": "x@internal:8443/"}, (400, "invalid_request", "invalid_field")),
        ({"refreshToken": WHOLE, "priority": -1}, (400, "invalid_request", "invalid_field")),
        ({"refreshToken": WHOLE, "priority": 2**32}, (400, "invalid_request", "invalid_field")),
        ({"refreshToken": WHOLE, "priority": True}, (400, "invalid_request", "invalid_field")),
        ({"refreshToken": WHOLE, "email": 7}, (400, "invalid_request", "invalid_field")),
        ({"refreshToken": WHOLE, "email": "a\nb"}, (400, "invalid_request", "invalid_field")),
        ({"refreshToken": WHOLE, "proxyUrl": "ftp://x"}, (400, "invalid_request", "invalid_field")),
        ({"refreshToken": "x" * 9000}, (400, "invalid_request", "invalid_field")),
        ({"kiroApiKey": "ksk_of_nobody_at_all"}, (400, "invalid_request", "invalid_credential")),
    ],
)
async def test_what_cannot_be_added_changes_nothing(
    estate: Estate, body: dict[str, Any], expected: tuple[int, str, str]
) -> None:
    before = estate.path.read_bytes()
    answer = await estate.post("credentials", body)
    assert code_of(answer) == expected
    assert WHOLE not in answer.text
    assert estate.file() == json.loads(before)
    assert list(await estate.listed()) == [1]


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": "invalid_grant"}, (400, "invalid_request", "invalid_refresh_token")),
        (401, {"message": "no"}, (400, "invalid_request", "invalid_refresh_token")),
        (403, {"message": "no"}, (400, "invalid_request", "invalid_refresh_token")),
        (429, {"message": "slow"}, (502, "api_error", "upstream_unavailable")),
        (500, {"message": "oops"}, (502, "api_error", "upstream_unavailable")),
        (503, b"<html>a page of theirs</html>", (502, "api_error", "upstream_unavailable")),
    ],
)
async def test_what_the_token_service_says_decides_the_status(
    tmp_path: Path, status: int, body: Any, expected: tuple[int, str, str]
) -> None:
    async with open_estate(tmp_path, ONE, simulator=Simulator(accounts=(ONE, TWO))) as estate:
        estate.simulator.fail_next(REFRESH, status, body, times=3)
        answer = await estate.post("credentials", {"refreshToken": WHOLE})
        assert code_of(answer) == expected
        assert "theirs" not in answer.text
        assert list(await estate.listed()) == [1]
        assert len(estate.file()) == 1


async def test_a_broken_connection_is_a_502(estate: Estate) -> None:
    estate.simulator.fail_next(REFRESH, drop=True, times=3)
    answer = await estate.post("credentials", {"refreshToken": WHOLE})
    assert code_of(answer) == (502, "api_error", "upstream_unavailable")
    assert "127.0.0.1" not in answer.text


async def test_duplicates_are_found_by_present_and_by_original_token(tmp_path: Path) -> None:
    """kiro-rs no longer knows a token after its rotation (operations §3.10)."""
    async with open_estate(tmp_path, ONE, simulator=Simulator(accounts=(ONE, TWO))) as estate:
        present = estate.file()[0]["refreshToken"]
        assert code_of(await estate.post("credentials", {"refreshToken": present}))[2] == "duplicate_account"
        two = estate.simulator.credential_json("two")
        body = {name: two[name] for name in ("refreshToken", "clientId", "clientSecret")}
        assert (await estate.post("credentials", body)).status_code == 200
        assert code_of(await estate.post("credentials", body))[2] == "duplicate_account"
        assert estate.simulator.reuses == 0  # the spent token was not presented again
        assert len(estate.file()) == 2


# --- changing -------------------------------------------------------------------------------------------------------


async def test_disable_and_enable(estate: Estate) -> None:
    answer = await estate.post("credentials/1/disabled", {"disabled": True})
    assert answer.json() == {"success": True, "message": "Credential #1 has been disabled"}
    assert estate.file()[0]["disabled"] is True
    listed = (await estate.listed())[1]
    assert (listed["disabled"], listed["state"], listed["stateCause"]) == (True, "disabled", "Manual")
    answer = await estate.post("credentials/1/disabled", {"disabled": False})
    assert answer.json() == {"success": True, "message": "Credential #1 has been enabled"}
    assert "disabled" not in estate.file()[0]
    assert (await estate.listed())[1]["state"] == "active"


async def test_priority(estate: Estate) -> None:
    answer = await estate.post("credentials/1/priority", {"priority": 7})
    assert answer.json() == {"success": True, "message": "Credential #1 priority has been set to 7"}
    assert (await estate.listed())[1]["priority"] == estate.file()[0]["priority"] == 7
    assert (await estate.post("credentials/1/priority", {"priority": 0})).status_code == 200
    assert "priority" not in estate.file()[0]


async def test_reset_brings_a_disabled_account_back(estate: Estate) -> None:
    await estate.post("credentials/1/disabled", {"disabled": True})
    answer = await estate.post("credentials/1/reset")
    assert answer.json() == {"success": True, "message": "Credential #1 failure count has been reset and re-enabled"}
    assert (await estate.listed())[1]["state"] == "active"
    assert (await estate.post("credentials/1/reset")).status_code == 200


async def test_refresh(estate: Estate) -> None:
    before = estate.file()[0]["refreshToken"]
    answer = await estate.post("credentials/1/refresh")
    assert answer.json() == {"success": True, "message": "Credential #1 token has been refreshed"}
    assert estate.file()[0]["refreshToken"] != before


@pytest.mark.parametrize("status", [400, 401, 429, 500])
async def test_a_failed_refresh_is_a_502_and_the_prefix_stands_once(estate: Estate, status: int) -> None:
    estate.simulator.fail_next(REFRESH, status, {"error": "invalid_grant", "error_description": "expired"}, times=3)
    answer = await estate.post("credentials/1/refresh")
    assert code_of(answer) == (502, "api_error", "refresh_failed")
    message = answer.json()["error"]["message"]
    assert message.startswith("Token refresh failed: ")
    assert message.count("refresh failed") == 1


async def test_the_failure_shows_in_the_list(estate: Estate) -> None:
    estate.simulator.fail_next(REFRESH, 400, {"error": "invalid_grant"})
    await estate.post("credentials/1/refresh")
    listed = (await estate.listed())[1]
    assert listed["state"] == "reauth_required"
    assert "Log in again" in listed["stateCause"]


async def test_patch(estate: Estate) -> None:
    changes = {
        "label": "  Work ",
        "priority": 2,
        "authRegion": "eu-west-1",
        "apiRegion": "eu-central-1",
        "proxyUrl": "http://user:planted-password@127.0.0.1:1",
        "disabled": True,
    }
    answer = await estate.client.patch("credentials/1", json=changes)
    assert answer.status_code == 200, answer.text
    entry = answer.json()
    assert (entry["label"], entry["priority"], entry["disabled"]) == ("Work", 2, True)
    assert (entry["authRegion"], entry["apiRegion"], entry["hasProxy"]) == ("eu-west-1", "eu-central-1", True)
    assert "planted" not in answer.text
    assert estate.file()[0]["proxyUrl"] == changes["proxyUrl"]
    undo = {"label": None, "authRegion": "", "apiRegion": None, "proxyUrl": None, "disabled": False, "priority": 0}
    entry = (await estate.client.patch("credentials/1", json=undo)).json()
    assert (entry["label"], entry["apiRegion"], entry["hasProxy"], entry["disabled"]) == (None, None, False, False)
    assert not {"label", "apiRegion", "proxyUrl", "priority", "disabled"} & estate.file()[0].keys()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"label": "x" * 101}, "label"),
        ({"label": 1}, "label"),
        ({"label": "ok", "priority": "1"}, "priority"),
        ({"label": "ok", "apiRegion": "attacker.example/?"}, "apiRegion"),
        ({"label": "ok", "authRegion": "us-east-1.evil"}, "authRegion"),
        ({"label": "ok", "proxyUrl": "gopher://x"}, "proxyUrl"),
        ({"label": "ok", "disabled": "yes"}, "disabled"),
        ({"label": "ok", "refreshToken": "x"}, "refreshToken"),
        ({"label": "ok", "<script>": 1}, "<script>"),
    ],
)
async def test_a_bad_patch_changes_nothing(estate: Estate, changes: dict[str, Any], field: str) -> None:
    before = estate.path.read_bytes()
    answer = await estate.client.patch("credentials/1", json=changes)
    assert code_of(answer) == (400, "invalid_request", "invalid_field")
    assert answer.json()["error"]["field"] == field
    assert estate.file() == json.loads(before)
    assert (await estate.listed())[1]["label"] is None


# --- removing -------------------------------------------------------------------------------------------------------


async def test_delete_wants_a_disabled_account(estate: Estate) -> None:
    answer = await estate.client.delete("credentials/1")
    assert code_of(answer) == (400, "invalid_request", "credential_enabled")
    await estate.post("credentials/1/disabled", {"disabled": True})
    answer = await estate.client.delete("credentials/1")
    assert answer.json() == {"success": True, "message": "Credential #1 has been deleted"}
    assert estate.file() == []
    assert await estate.listed() == {}


async def test_delete_by_force_and_restore(tmp_path: Path) -> None:
    def entries(simulator: Simulator) -> list[JsonObject]:
        return [simulator.credential_json(custom={"kept": 1}), simulator.credential_json("builder")]

    async with open_estate(tmp_path, credentials=entries) as estate:
        before = estate.file()[0]
        assert (await estate.client.delete("credentials/1?force=1")).status_code == 200
        assert list(await estate.listed()) == [2]
        answer = await estate.post("credentials/1/restore")
        assert answer.status_code == 200
        assert answer.json()["id"] == 1
        restored = next(entry for entry in estate.file() if entry["id"] == 1)
        assert {**before, "id": 1} == restored  # unknown members too
        assert (await estate.post("credentials/1/refresh")).status_code == 200
        assert code_of(await estate.post("credentials/1/restore")) == (404, "not_found", "credential_not_found")


async def test_an_undo_comes_too_late(estate: Estate) -> None:
    await estate.client.delete("credentials/1?force=1")
    estate.clocks.advance(31)
    assert code_of(await estate.post("credentials/1/restore"))[2] == "credential_not_found"
    assert estate.file() == []


async def test_an_undo_after_the_same_tokens_were_added_again(estate: Estate) -> None:
    token = estate.file()[0]["refreshToken"]
    await estate.client.delete("credentials/1?force=1")
    entries = [{**estate.simulator.credential_json(), "refreshToken": token}]
    estate.path.write_text(json.dumps(entries))
    assert code_of(await estate.post("credentials/1/restore"))[2] == "duplicate_account"
    assert len(estate.file()) == 1


# --- many -----------------------------------------------------------------------------------------------------------


async def test_batches(tmp_path: Path) -> None:
    async with open_estate(tmp_path, ONE, TWO, KEYED) as estate:

        async def act(action: str, *ids: int) -> list[dict[str, Any]]:
            answer = await estate.post("credentials/batch", {"ids": list(ids), "action": action})
            assert answer.status_code == 200, answer.text
            results: list[dict[str, Any]] = answer.json()["results"]
            return results

        assert await act("disable", 2, 1, 1) == [{"id": 2, "ok": True}, {"id": 1, "ok": True}]
        deleted = await act("delete", 1, 3, 99)
        assert [(result["id"], result.get("code")) for result in deleted] == [
            (1, None), (3, "credential_enabled"), (99, "credential_not_found"),
        ]  # fmt: skip
        assert sorted(await estate.listed()) == [2, 3]
        assert (await act("enable", 2))[0]["ok"]
        assert (await estate.listed())[2]["state"] == "active"
        await act("disable", 2)
        assert (await act("reset", 2, 3)) == [{"id": 2, "ok": True}, {"id": 3, "ok": True}]
        assert (await estate.listed())[2]["state"] == "active"
        estate.simulator.fail_next("/token", 400, {"error": "invalid_grant"})
        refreshed = await act("refresh", 2, 3)
        assert [result.get("code") for result in refreshed] == ["refresh_failed", None]
        assert refreshed[0]["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"ids": [], "action": "enable"},
        {"ids": "1", "action": "enable"},
        {"ids": [1.5], "action": "enable"},
        {"ids": [True], "action": "enable"},
        {"ids": list(range(1001)), "action": "enable"},
        {"ids": [1], "action": "explode"},
        {"ids": [1]},
        {"ids": [1], "action": "enable", "force": True},
    ],
)
async def test_bad_batches(estate: Estate, body: dict[str, Any]) -> None:
    answer = await estate.post("credentials/batch", body)
    assert code_of(answer) == (400, "invalid_request", "invalid_field")


# --- those there are none of, and those from the environment --------------------------------------------------------

WRITES: list[tuple[str, str, Any]] = [
    ("POST", "disabled", {"disabled": True}),
    ("POST", "priority", {"priority": 1}),
    ("POST", "reset", None),
    ("POST", "refresh", None),
    ("POST", "restore", None),
    ("GET", "balance", None),
    ("PATCH", "", {"label": "x"}),
    ("DELETE", "", None),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
async def test_unknown_accounts(estate: Estate, method: str, path: str, body: Any) -> None:
    for number in ("99", "-1", "0", "abc", "1.5", "9" * 30, "%31%00", "\u0661"):
        answer = await estate.client.request(method, f"credentials/{number}/{path}".rstrip("/"), json=body)
        assert code_of(answer) == (404, "not_found", "credential_not_found")
        assert answer.json()["error"]["message"].startswith("Credential not found: ")


async def test_an_account_from_the_environment_is_read_only(tmp_path: Path) -> None:
    extra = Credential(auth_method="api_key", kiro_api_key=KEYED.api_key)
    async with open_estate(tmp_path, ONE, simulator=Simulator(accounts=(ONE, KEYED)), extra=[extra]) as estate:
        assert (await estate.listed())[-1]["readOnly"] is True
        for answer in (
            await estate.client.delete("credentials/-1?force=1"),
            await estate.client.patch("credentials/-1", json={"label": "x"}),
            await estate.post("credentials/-1/priority", {"priority": 1}),
        ):
            assert code_of(answer) == (400, "invalid_request", "read_only")
        assert (await estate.post("credentials/-1/disabled", {"disabled": True})).status_code == 200
        assert (await estate.listed())[-1]["state"] == "disabled"
        assert (await estate.post("credentials/-1/reset")).status_code == 200
        await estate.post("credentials/batch", {"ids": [-1, 1], "action": "disable"})
        assert {entry["state"] for entry in (await estate.listed()).values()} == {"disabled"}
        assert KEYED.api_key not in estate.path.read_text()


# --- balances -------------------------------------------------------------------------------------------------------


async def test_balance(estate: Estate) -> None:
    answer = await estate.client.get("credentials/1/balance")
    assert answer.status_code == 200
    body = answer.json()
    assert body.keys() >= BALANCE_MEMBERS
    assert (body["id"], body["subscriptionTitle"], body["usageLimit"]) == (1, "KIRO PRO+", 2000)
    assert body["email"] == "demo@example.com"
    assert isinstance(body["nextResetAt"], float | int)


@pytest.mark.parametrize(
    ("path", "status", "body", "code"),
    [
        (USAGE, 400, {"message": "no"}, "upstream_unavailable"),
        (USAGE, 401, {"message": "The bearer token included in the request is invalid."}, "upstream_unavailable"),
        (USAGE, 403, {"message": "no"}, "upstream_unavailable"),
        (USAGE, 429, {"message": "no"}, "upstream_unavailable"),
        (USAGE, 500, {"message": "no"}, "upstream_unavailable"),
        (USAGE, 200, b"no json", "upstream_unavailable"),
        (REFRESH, 400, {"error": "invalid_grant"}, "refresh_failed"),
        (REFRESH, 401, {"message": "no"}, "refresh_failed"),
        (REFRESH, 403, {"message": "no"}, "refresh_failed"),
        (REFRESH, 429, {"message": "no"}, "refresh_failed"),
        (REFRESH, 500, {"message": "no"}, "refresh_failed"),
    ],
)
async def test_a_balance_that_cannot_be_had_is_a_502(
    tmp_path: Path, path: str, status: int, body: Any, code: str
) -> None:
    def entries(simulator: Simulator) -> list[JsonObject]:
        return [simulator.credential_json(expired=path == REFRESH)]

    async with open_estate(tmp_path, credentials=entries) as estate:
        estate.simulator.fail_next(path, status, body, times=8)
        answer = await estate.client.get("credentials/1/balance")
        assert code_of(answer) == (502, "api_error", code)


# --- how accounts are chosen ----------------------------------------------------------------------------------------


async def test_load_balancing(estate: Estate) -> None:
    assert (await estate.client.get("config/load-balancing")).json() == {"mode": "priority"}
    answer = await estate.client.put("config/load-balancing", json={"mode": "balanced"})
    assert (answer.status_code, answer.json()) == (200, {"mode": "balanced"})
    assert (await estate.client.get("config/load-balancing")).json() == {"mode": "balanced"}
    for mode in ("random", None, 1):
        answer = await estate.client.put("config/load-balancing", json={"mode": mode})
        assert code_of(answer) == (400, "invalid_request", "invalid_field")
        assert answer.json()["error"]["message"] == "Invalid credential: mode must be 'priority' or 'balanced'"
    assert (await estate.client.get("config/load-balancing")).json() == {"mode": "balanced"}


# --- another order --------------------------------------------------------------------------------------------------


async def test_another_order_is_one_change(tmp_path: Path) -> None:
    async with open_estate(tmp_path, ONE, TWO, KEYED) as estate:
        order = [{"id": 3, "priority": 0}, {"id": 1, "priority": 1}, {"id": 2, "priority": 4}]
        answer = await estate.post("credentials/priorities", {"priorities": order})
        assert (answer.status_code, answer.json()["success"]) == (200, True)
        assert [entry.get("priority") for entry in estate.file()] == [1, 4, None]
        body = (await estate.client.get("credentials")).json()
        assert [entry["id"] for entry in body["credentials"]] == [3, 1, 2]
        assert (await estate.client.get("audit")).json()["audit"][0]["action"] == "credential.priorities"


@pytest.mark.parametrize(
    "priorities",
    [
        None, [], {}, [1], [{"id": 1}], [{"id": 1, "priority": -1}], [{"id": "1", "priority": 1}],
        [{"id": 1, "priority": 2**32}], [{"id": 1, "priority": True}], [{"id": True, "priority": 1}],
        [{"id": 1, "priority": 1, "label": "x"}], [{"id": 1, "priority": 1}, {"id": 1, "priority": 2}],
    ],
)  # fmt: skip
async def test_an_order_that_is_none(estate: Estate, priorities: object) -> None:
    answer = await estate.post("credentials/priorities", {"priorities": priorities})
    assert code_of(answer) == (400, "invalid_request", "invalid_field")
    assert answer.json()["error"]["field"] == "priorities"
    assert "priority" not in estate.file()[0]


async def test_an_order_with_a_stranger_changes_nobody(tmp_path: Path) -> None:
    extra = Credential(id=-1, auth_method="api_key", kiro_api_key="ksk_from_the_environment")
    async with open_estate(tmp_path, ONE, extra=[extra]) as estate:
        for number, code in ((9, "credential_not_found"), (-1, "read_only")):
            order = [{"id": 1, "priority": 5}, {"id": number, "priority": 6}]
            assert code_of(await estate.post("credentials/priorities", {"priorities": order}))[2] == code
        assert "priority" not in estate.file()[0]


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
