"""Device logins as jobs (operations §7.9)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.serve.admin.logins import KEPT_SECONDS, MOST_LOGINS, MOST_PENDING, qr_code
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import USAGE, Simulator
from tests.serve.admin.estate import Estate, code_of, open_estate, wait_for

BUILDER = {"method": "builder-id", "label": "mine"}
PORTAL = "https://d-1234567890.awsapps.com/start"
COMPANY = Account(
    name="company", method="idc", provider="Enterprise", start_url=PORTAL, region="eu-central-1",
    profile_arn="arn:aws:codewhisperer:eu-central-1:000000000002:profile/COMPANY",
)  # fmt: skip


async def begin(estate: Estate, body: dict[str, Any] = BUILDER) -> dict[str, Any]:
    estate.simulator.oidc.interval = 0.05
    answer = await estate.post("logins", body)
    assert answer.status_code == 201, answer.text
    login: dict[str, Any] = answer.json()
    return login


async def outcome_of(estate: Estate, login: dict[str, Any]) -> dict[str, Any]:
    """Its end."""
    jobs = estate.admin._logins
    await wait_for(lambda: jobs.get(login["id"]).status != "pending")
    answer = await estate.client.get(f"logins/{login['id']}")
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


async def test_a_builder_id_login(estate: Estate) -> None:
    login = await begin(estate)
    assert login.keys() == {
        "id", "userCode", "verificationUri", "verificationUriComplete", "expiresAt", "interval", "qr",
    }  # fmt: skip
    assert len(login["id"]) >= 43
    assert login["userCode"] in login["verificationUriComplete"]
    assert login["qr"].startswith("<svg")
    pending = (await estate.client.get(f"logins/{login['id']}")).json()
    assert pending == {"id": login["id"], "status": "pending", "expiresAt": login["expiresAt"]}
    estate.simulator.oidc.approve(login["userCode"], "builder")
    done = await outcome_of(estate, login)
    assert done | {"expiresAt": None} == {
        "id": login["id"], "status": "completed", "expiresAt": None, "credentialId": 2,
        "email": "builder@example.com", "subscription": "KIRO FREE", "warnings": [],
    }  # fmt: skip
    entry = estate.file()[1]
    assert (entry["label"], entry["authMethod"], entry["provider"]) == ("mine", "idc", "BuilderId")
    assert entry["clientSecretExpiresAt"]
    assert not estate.simulator.grants.refreshes  # as issued: no token was spent (operations §7.3)
    assert (await estate.listed())[2]["state"] == "active"


async def test_an_organisation_s_login(tmp_path: Path) -> None:
    simulator = Simulator(accounts=(Account(name="one"), COMPANY))
    async with open_estate(tmp_path, simulator=simulator) as estate:
        pasted = f" {PORTAL}/#/?tab=accounts "
        login = await begin(estate, {"method": "idc", "startUrl": pasted, "region": "eu-central-1"})
        estate.simulator.oidc.approve(login["userCode"], "company")
        assert (await outcome_of(estate, login))["status"] == "completed"
        entry = estate.file()[1]
        assert (entry["startUrl"], entry["region"], entry["provider"]) == (PORTAL, "eu-central-1", "Enterprise")
        assert entry["profileArn"] == COMPANY.profile_arn


async def test_the_same_account_again_is_no_twin(estate: Estate) -> None:
    for number in range(2):
        login = await begin(estate)
        estate.simulator.oidc.approve(login["userCode"], "builder")
        assert (await outcome_of(estate, login))["credentialId"] == 2
        assert len(estate.file()) == 2
        assert estate.simulator.counts["/client/register"] == 1, f"login {number} used the registration of the first"


async def test_refused_in_the_browser(estate: Estate) -> None:
    login = await begin(estate)
    estate.simulator.oidc.deny(login["userCode"])
    body = await outcome_of(estate, login)
    assert (body["status"], body["code"]) == ("failed", "access_denied")
    assert body["message"]
    assert len(estate.file()) == 1


async def test_never_confirmed(estate: Estate) -> None:
    estate.simulator.oidc.lifetime = 1.0
    body = await outcome_of(estate, await begin(estate))
    assert (body["status"], body["code"]) == ("expired", "expired_token")


async def test_cancelled(estate: Estate) -> None:
    login = await begin(estate)
    assert (await estate.client.delete(f"logins/{login['id']}")).status_code == 204
    assert (await outcome_of(estate, login))["status"] == "cancelled"
    assert (await estate.client.delete(f"logins/{login['id']}")).status_code == 204


async def test_tokens_that_cannot_be_stored_are_a_failure(estate: Estate) -> None:
    """kiro-rs says success whatever became of them (operations §7.3)."""
    login = await begin(estate)
    lock = estate.path.with_name("credentials.json.lock")
    lock.unlink(missing_ok=True)
    lock.mkdir()
    estate.simulator.oidc.approve(login["userCode"], "builder")
    body = await outcome_of(estate, login)
    assert (body["status"], body["code"]) == ("failed", "persist_failed")
    assert list(await estate.listed()) == [1]


async def test_an_account_that_cannot_be_asked_about_is_kept_with_a_warning(estate: Estate) -> None:
    login = await begin(estate)
    estate.simulator.fail_next(USAGE, 500, times=8)
    estate.simulator.oidc.approve(login["userCode"], "builder")
    body = await outcome_of(estate, login)
    assert (body["status"], body["email"]) == ("completed", None)
    assert "could not be asked" in body["warnings"][0]


async def test_network_trouble_does_not_end_an_approved_login(estate: Estate) -> None:
    login = await begin(estate)
    estate.simulator.fail_next("/token", drop=True, times=2)
    estate.simulator.oidc.approve(login["userCode"], "builder")
    assert (await outcome_of(estate, login))["status"] == "completed"


async def test_a_bug_ends_the_login_only(estate: Estate) -> None:
    login = await begin(estate)
    estate.simulator.oidc.approve(login["userCode"], "builder")
    estate.path.with_name("credentials.json.lock").unlink(missing_ok=True)
    estate.admin._logins._enrolling = None  # type: ignore[assignment]
    body = await outcome_of(estate, login)
    assert (body["status"], body["code"]) == ("failed", "internal_error")
    assert (await estate.client.get("overview")).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "method"),
        ({"method": "saml"}, "method"),
        ({"method": "google"}, "method"),
        ({"method": "idc"}, "startUrl"),
        ({"method": "idc", "startUrl": "http://d-1.awsapps.com/start"}, "startUrl"),
        ({"method": "idc", "startUrl": "https://evil.example/start"}, "startUrl"),
        ({"method": "idc", "startUrl": "https://awsapps.com.evil.example/start"}, "startUrl"),
        ({"method": "idc", "startUrl": "https://user@d-1.awsapps.com/start"}, "startUrl"),
        ({"method": "idc", "startUrl": "https://d-1.awsapps.com:8443/start"}, "startUrl"),
        ({"method": "idc", "startUrl": PORTAL, "region": "attacker.example/?"}, "region"),
        ({"method": "idc", "startUrl": PORTAL, "region": "x@internal-host:8443/"}, "region"),
        ({"method": "idc", "startUrl": PORTAL, "region": "us-east-1.evil"}, "region"),
        ({"method": "idc", "startUrl": PORTAL, "region": "US-EAST-1"}, "region"),
        ({"method": "builder-id", "label": "x" * 101}, "label"),
        ({"method": "builder-id", "label": "a\x00b"}, "label"),
        ({"method": "builder-id", "more": 1}, "more"),
    ],
)
async def test_what_ends_up_in_an_address_is_checked(estate: Estate, body: dict[str, Any], field: str) -> None:
    """Attack 2 of operations §7.8: nothing at all is sent anywhere."""
    answer = await estate.post("logins", body)
    assert code_of(answer) == (400, "invalid_request", "invalid_field")
    assert answer.json()["error"]["field"] == field
    assert not estate.simulator.requests


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, {"message": "their words"}), (400, {"error": "invalid_request"}), (200, {"odd": True}), (200, b"<html>")],
)
async def test_a_service_that_gives_no_code(estate: Estate, status: int, body: Any) -> None:
    estate.simulator.fail_next("/client/register", status, body, times=2)
    answer = await estate.post("logins", BUILDER)
    assert code_of(answer)[:2] == (502, "api_error")
    assert "their words" not in answer.text


async def test_a_service_that_sends_people_elsewhere(estate: Estate) -> None:
    """Attack 3: an address of a stranger is not shown."""
    device: JsonObject = {
        "deviceCode": "x", "userCode": "<script>alert(1)</script>", "interval": 1, "expiresIn": 600,
        "verificationUri": "https://evil.example/device", "verificationUriComplete": "javascript:alert(1)",
    }  # fmt: skip
    estate.simulator.fail_next("/device_authorization", 200, device)
    answer = await estate.post("logins", BUILDER)
    assert code_of(answer) == (502, "api_error", "unexpected_verification_host")
    assert "<script>" not in answer.text


async def test_only_so_many_may_wait(estate: Estate) -> None:
    logins = [await begin(estate) for _ in range(MOST_PENDING)]
    answer = await estate.post("logins", BUILDER)
    assert code_of(answer) == (429, "invalid_request", "too_many_logins")
    assert answer.headers["retry-after"]
    assert len({login["id"] for login in logins}) == MOST_PENDING
    await estate.client.delete(f"logins/{logins[0]['id']}")
    await outcome_of(estate, logins[0])
    await begin(estate)


async def test_ended_ones_are_forgotten(estate: Estate) -> None:
    login = await begin(estate)
    await estate.client.delete(f"logins/{login['id']}")
    await outcome_of(estate, login)
    estate.clocks.advance(KEPT_SECONDS + 1)
    assert code_of(await estate.client.get(f"logins/{login['id']}")) == (404, "not_found", "login_not_found")


async def test_too_many_ended_ones_are_forgotten_early(estate: Estate) -> None:
    jobs = estate.admin._logins
    first = await begin(estate)
    for _ in range(MOST_LOGINS + 1):
        login = await begin(estate)
        await estate.client.delete(f"logins/{login['id']}")
        await outcome_of(estate, login)
    assert len(jobs._logins) <= MOST_LOGINS + 1
    assert jobs.get(first["id"]).status == "pending"


async def test_secrets_of_a_login_are_forgotten(estate: Estate) -> None:
    login = await begin(estate)
    job = estate.admin._logins.get(login["id"])
    assert job.device is not None
    for secret in (job.device.device_code, job.device.registration.client_secret):
        assert secret not in repr(job)
        assert secret not in str(login)
    estate.simulator.oidc.approve(login["userCode"], "builder")
    await outcome_of(estate, login)
    assert job.device is None


def test_a_qr_code_is_a_plain_picture() -> None:
    picture = qr_code("https://device.sso.us-east-1.amazonaws.com/?user_code=<ABCD>")
    assert picture.startswith("<svg")
    assert "script" not in picture
    assert "<ABCD>" not in picture
