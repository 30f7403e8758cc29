"""Fresh tokens: kept first, asked about then, never twice. The ways that lead here are tested with the commands."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.server import open_simulator
from kiro_rs_py.upstream.credential import Credential, entry_of, parse_credential
from kiro_rs_py.upstream.document import UnknownCredential
from kiro_rs_py.upstream.endpoints import Endpoints
from kiro_rs_py.upstream.enrolment import (
    Enrolled,
    _remember_balance,
    enrol,
    find_spent,
    is_same_account,
    keep_tokens,
    known_registration,
    merge_account,
    with_login,
)
from kiro_rs_py.upstream.http import HttpClients
from kiro_rs_py.upstream.locks import FileLock
from kiro_rs_py.upstream.sources import BUILDER_ID_START_URL
from kiro_rs_py.upstream.state import StateStore
from kiro_rs_py.upstream.store import CredentialStore
from kiro_rs_py.upstream.usage import Usage
from tests.upstream.memory import MemoryCredentialStore, MemoryStateStore

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
ARN = "arn:aws:codewhisperer:us-east-1:123456789012:profile/ABCDEF"


def token(letter: str) -> str:
    return "aor" + letter * 120


def stored(*credentials: Credential) -> MemoryCredentialStore:
    return MemoryCredentialStore(json.dumps([entry_of(credential) for credential in credentials]))


# --- keeping ----------------------------------------------------------------------------------------------------


async def test_new_tokens_get_an_entry_of_their_own() -> None:
    store = stored(Credential(id=4, refresh_token=token("a")))
    kept = await keep_tokens(store, Credential(refresh_token=token("b")))
    assert (kept.id, kept.known) == (5, False)


async def test_the_same_tokens_are_kept_once_and_complete_each_other() -> None:
    store = stored(Credential(id=4, refresh_token=token("a"), email="old@example.com", access_token="mine"))
    offered = Credential(refresh_token=token("a"), email="new@example.com", access_token="other", provider="Google")
    kept = await keep_tokens(store, offered)
    assert (kept.id, kept.known) == (4, True)
    (credential,) = (await store.read()).credentials
    assert (credential.email, credential.access_token, credential.provider) == ("old@example.com", "mine", "Google")


async def test_keeping_is_not_cancelled() -> None:
    store = stored()
    with trio.CancelScope() as scope:
        scope.cancel()
        await keep_tokens(store, Credential(refresh_token=token("a")))
    assert len((await store.read()).credentials) == 1


async def test_tokens_that_were_imported_and_rotated_since() -> None:
    offered = Credential(refresh_token=token("a"))
    rotated = Credential(id=1, refresh_token=token("b"), source_fingerprint=offered.fingerprint)
    assert await find_spent(stored(rotated), offered) == rotated
    assert await find_spent(stored(replace(rotated, refresh_token=token("a"))), offered) is None
    assert await find_spent(stored(Credential(id=1, refresh_token=token("b"))), offered) is None


# --- whose are they ---------------------------------------------------------------------------------------------

GOOGLE = Credential(auth_method="social", provider="Google", email="me@example.com")
BUILDER = Credential(auth_method="idc", provider="BuilderId", start_url=BUILDER_ID_START_URL, email="me@example.com")
COMPANY = Credential(
    auth_method="idc", provider="Enterprise", start_url="https://d-1.awsapps.com/start", email="me@example.com"
)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (GOOGLE, replace(GOOGLE, email="ME@example.com"), True),
        (GOOGLE, replace(GOOGLE, provider="google"), True),
        (GOOGLE, replace(GOOGLE, provider="Github"), False),
        (GOOGLE, replace(GOOGLE, email="you@example.com"), False),
        (replace(GOOGLE, email=None), replace(GOOGLE, email=None), False),
        (replace(GOOGLE, provider=None), replace(GOOGLE, provider=None), False),
        (replace(GOOGLE, profile_arn=ARN, email=None), replace(GOOGLE, profile_arn=ARN, email=None), False),
        (replace(GOOGLE, user_id="u1"), replace(GOOGLE, user_id="u2"), False),
        (replace(GOOGLE, user_id="u1", provider=None), replace(GOOGLE, user_id="u1", email=None), True),
        (GOOGLE, BUILDER, False),
        (BUILDER, replace(BUILDER, start_url=None), True),
        (BUILDER, COMPANY, False),
        (COMPANY, replace(COMPANY, provider=None), True),
        (COMPANY, replace(COMPANY, start_url=None), False),
        (COMPANY, replace(COMPANY, start_url="https://d-2.awsapps.com/start"), False),
    ],
)
def test_one_person_at_one_place(one: Credential, other: Credential, same: bool) -> None:
    assert is_same_account(one, other) is same
    assert is_same_account(other, one) is same


def test_a_new_login_takes_over_as_a_whole() -> None:
    old = replace(
        BUILDER, id=1, refresh_token=token("a"), client_id="old", client_secret="old", auth_region="eu-west-1",
        profile_arn=ARN, label="mine", priority=3, disabled=True, machine_id="m",
    )  # fmt: skip
    new = replace(BUILDER, id=2, refresh_token=token("b"), client_id="new", client_secret="new", region="us-east-1")
    merged = with_login(old, new)
    assert (merged.refresh_token, merged.client_id, merged.client_secret) == (token("b"), "new", "new")
    assert (merged.auth_region, merged.region) == (None, "us-east-1")
    assert (merged.id, merged.label, merged.priority, merged.machine_id) == (1, "mine", 3, "m")
    assert (merged.disabled, merged.profile_arn) == (True, ARN)


async def test_merging_leaves_one_entry() -> None:
    old = replace(GOOGLE, id=1, refresh_token=token("a"))
    new = replace(GOOGLE, id=3, refresh_token=token("c"))
    store = stored(old, replace(GOOGLE, id=2, email="you@example.com", refresh_token=token("b")), new)
    assert await merge_account(store, 3) == 1
    assert [(item.id, item.refresh_token) for item in (await store.read()).credentials] == [
        (1, token("c")),
        (2, token("b")),
    ]
    assert await merge_account(store, 2) == 2
    with pytest.raises(UnknownCredential):
        await merge_account(store, 3)


async def test_an_entry_that_is_being_refreshed_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("kiro_rs_py.upstream.enrolment.TURN_SECONDS", 0.01)
    store = CredentialStore(tmp_path / "credentials.json")
    for letter in "ab":
        await store.update(lambda document, letter=letter: document.add(replace(GOOGLE, refresh_token=token(letter))))  # type: ignore[misc]
    lock = FileLock(tmp_path / ".credentials.json.refresh-2.lock")
    assert lock.try_acquire()
    try:
        assert await merge_account(store, 2) == 2
    finally:
        lock.release()
    assert "is being refreshed" in caplog.text
    assert await merge_account(store, 2) == 1


# --- asking -----------------------------------------------------------------------------------------------------


class World:
    def __init__(self, simulator: Simulator, http: HttpClients, config: Config) -> None:
        self.simulator = simulator
        self.store = stored()
        self.state = MemoryStateStore()
        self._http = http
        self._config = config

    async def log_in(self, name: str, **fields: Json) -> Enrolled:
        entry: JsonObject = {**self.simulator.credential_json(name), "email": None, **fields}
        kept = await keep_tokens(self.store, parse_credential(entry))
        endpoints = Endpoints(self._config)
        return await enrol(self._http, self._config, endpoints, self.store, self.state, kept.id)


@asynccontextmanager
async def world(*accounts: Account) -> AsyncIterator[World]:
    simulator = Simulator(accounts=accounts)
    async with open_simulator(simulator) as running:
        config = Config(upstream_url=running.url)
        http = HttpClients(config)
        yield World(simulator, http, config)


async def test_e_mail_plan_and_profile_are_learnt() -> None:
    async with world(Account(name="a", method="idc", profile_arn=ARN, usage_arn="required")) as one:
        enrolled = await one.log_in("a", profileArn=None)
        credential = enrolled.credential
        assert (credential.profile_arn, credential.email) == (ARN, "a@example.com")
        assert (credential.subscription_title, credential.user_id) == ("KIRO PRO", "d-simulated.a")
        assert not enrolled.replaced
        assert enrolled.doubts == ()
        assert enrolled.usage is not None
        assert (await one.state.read()).balances[1].data["usageLimit"] == 1000


async def test_a_social_account_is_not_asked_for_a_profile() -> None:
    async with world(Account(name="a")) as one:
        assert (await one.log_in("a")).credential.profile_arn is None
        assert one.simulator.counts["/ListAvailableProfiles"] == 0


async def test_the_second_login_replaces_the_first() -> None:
    async with world(Account(name="a"), Account(name="b")) as one:
        first = (await one.log_in("a")).credential
        await one.log_in("b")
        again = await one.log_in("a")
        assert again.replaced
        assert again.credential.id == first.id
        assert again.credential.refresh_token != first.refresh_token
        assert [item.id for item in (await one.store.read()).credentials] == [1, 2]


async def test_the_only_account_of_a_file_that_is_one_object_logs_in_again() -> None:
    async with world(Account(name="a")) as one:
        entry: JsonObject = {**one.simulator.credential_json("a"), "theirs": {"kept": True}}
        one.store.replace(json.dumps(entry))
        again = await one.log_in("a")
        assert (again.replaced, again.credential.id) == (True, 1)
        document = json.loads(one.store.text or "")
        assert document["refreshToken"] == again.credential.refresh_token != entry["refreshToken"]
        assert (document["theirs"], "id" in document) == ({"kept": True}, False)


async def test_whatever_the_service_says_the_tokens_stay() -> None:
    async with world(Account(name="a", method="idc")) as one:
        one.simulator.fail_next("/ListAvailableProfiles", 500)
        one.simulator.fail_next("/getUsageLimits", 500)
        enrolled = await one.log_in("a")
        assert len(enrolled.doubts) == 2
        assert enrolled.usage is None
        assert enrolled.credential.refresh_token


async def test_an_account_that_is_removed_meanwhile() -> None:
    async with world(Account(name="a")) as one:
        one.store.replace("[]")
        with pytest.raises(UnknownCredential):
            await enrol(one._http, one._config, Endpoints(one._config), one.store, one.state, 1)


async def test_a_state_file_that_cannot_be_written_is_only_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "folder").touch()
    await _remember_balance(StateStore(tmp_path / "folder" / "state.toml"), 1, Usage(), NOW)
    assert "not remembered" in caplog.text


# --- registrations ----------------------------------------------------------------------------------------------

REGISTERED = replace(
    COMPANY, id=1, refresh_token=token("a"), client_id="id", client_secret="hush", region="eu-west-1",
    client_secret_expires_at=NOW + timedelta(days=30), created_at=NOW,
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "usable"),
    [
        ({}, True),
        ({"region": "us-east-1", "auth_region": "eu-west-1"}, True),
        ({"region": "us-east-1"}, False),
        ({"start_url": "https://d-2.awsapps.com/start"}, False),
        ({"client_secret": None}, False),
        ({"created_at": None}, False),
        ({"client_secret_expires_at": None}, False),
        ({"client_secret_expires_at": NOW + timedelta(minutes=10)}, False),
    ],
)
async def test_which_registration_is_used_again(change: dict[str, object], usable: bool) -> None:
    store = stored(replace(REGISTERED, **change))  # type: ignore[arg-type]
    found = await known_registration(store, start_url=str(COMPANY.start_url), region="eu-west-1", now=NOW)
    assert (found is not None) is usable


async def test_the_one_that_lasts_longest() -> None:
    longer = replace(
        REGISTERED, id=2, refresh_token=token("b"), client_id="longer",
        client_secret_expires_at=NOW + timedelta(days=60),
    )  # fmt: skip
    found = await known_registration(
        stored(REGISTERED, longer), start_url=str(COMPANY.start_url), region="eu-west-1", now=NOW
    )
    assert found is not None
    assert found.client_id == "longer"
