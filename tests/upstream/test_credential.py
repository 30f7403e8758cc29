"""Credential: every field, alias, time format and rule of operations §3 and upstream-protocol §4.1, §9.1."""

from __future__ import annotations

import base64
import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.upstream.credential import (
    BadField,
    Credential,
    TokenGrant,
    api_region_of,
    arn_region,
    auth_region_of,
    changed_members,
    email_in_token,
    entry_of,
    fingerprint,
    format_time,
    normalise_machine_id,
    parse_credential,
    parse_time,
    refresh_token_problem,
    with_fixed_machine_id,
    with_grant,
)

NOW = datetime(2026, 2, 13, 10, 0, tzinfo=UTC)
LONG = "aor" + "x" * 120

FULL: JsonObject = {
    "id": 7,
    "authMethod": "idc",
    "accessToken": "aoa-secret",
    "refreshToken": LONG,
    "expiresAt": "2026-02-13T11:00:00+00:00",
    "profileArn": "arn:aws:codewhisperer:eu-central-1:123456789012:profile/ABC",
    "clientId": "client",
    "clientSecret": "hush",
    "clientSecretExpiresAt": 1_780_000_000,
    "kiroApiKey": None,
    "priority": 3,
    "region": "eu-west-1",
    "authRegion": "us-gov-west-1",
    "apiRegion": "eu-central-1",
    "machineId": "0" * 64,
    "endpoint": "q",
    "proxyUrl": "http://user:pass@proxy:1",
    "proxyUsername": "user",
    "proxyPassword": "pass",
    "email": "me@example.com",
    "label": "work",
    "provider": "BuilderId",
    "startUrl": "https://view.awsapps.com/start",
    "subscriptionTitle": "KIRO PRO+",
    "disabled": True,
    "disabledReason": "Manual",
    "disabledAt": "2026-02-01T00:00:00Z",
    "createdAt": 1_700_000_000_000,
    "userId": "d-1234567890.abcdef",
    "sourceFingerprint": "f" * 64,
}


def snake(entry: JsonObject) -> JsonObject:
    return {"".join(f"_{c.lower()}" if c.isupper() else c for c in name): value for name, value in entry.items()}


def test_every_field_is_read_in_both_spellings() -> None:
    credential = parse_credential(FULL)
    assert parse_credential(snake(FULL)) == credential
    assert credential.id == 7
    assert credential.auth_method == "idc"
    assert credential.client_secret_expires_at == datetime.fromtimestamp(1_780_000_000, UTC)
    assert credential.created_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert credential.disabled_at == datetime(2026, 2, 1, tzinfo=UTC)
    unset = {item.name for item in fields(Credential) if getattr(credential, item.name) in (None, 0, False)}
    assert unset == {"kiro_api_key"}


def test_camel_case_wins_over_snake_case() -> None:
    assert parse_credential({"refresh_token": "old", "refreshToken": "new"}).refresh_token == "new"


def test_what_is_written_reads_back_the_same() -> None:
    credential = parse_credential(FULL)
    written = entry_of(credential)
    assert parse_credential(written) == credential
    assert list(written)[:2] == ["id", "authMethod"]
    assert written["clientSecretExpiresAt"] == 1_780_000_000
    assert written["expiresAt"] == "2026-02-13T11:00:00+00:00"
    assert "priority" not in entry_of(replace(credential, priority=0))
    assert "disabled" not in entry_of(replace(credential, disabled=False))


def test_only_changed_members_are_patched_and_defaults_are_removed() -> None:
    old = parse_credential(FULL)
    new = replace(old, access_token="a2", priority=0, disabled=False, label=None, expires_at=NOW)
    assert changed_members(old, new) == {
        "accessToken": "a2",
        "expiresAt": "2026-02-13T10:00:00+00:00",
        "priority": None,
        "label": None,
        "disabled": None,
    }
    assert changed_members(old, old) == {}


@pytest.mark.parametrize(
    ("written", "more", "method"),
    [
        ("social", {}, "social"),
        ("Google", {}, "social"),
        ("github", {}, "social"),
        ("idc", {}, "idc"),
        ("IdC", {}, "idc"),
        ("builder-id", {}, "idc"),
        ("BuilderId", {}, "idc"),
        ("IAM", {}, "idc"),
        ("Enterprise", {}, "idc"),
        ("apikey", {}, "api_key"),
        ("API_KEY", {}, "api_key"),
        (None, {}, "social"),
        (None, {"clientId": "c"}, "social"),
        (None, {"clientId": "c", "clientSecret": "s"}, "idc"),
        ("social", {"kiroApiKey": "ksk_1"}, "api_key"),
    ],
)
def test_auth_methods(written: str | None, more: JsonObject, method: str) -> None:
    assert parse_credential({"refreshToken": LONG, "authMethod": written, **more}).auth_method == method


@pytest.mark.parametrize(
    ("entry", "member"),
    [
        ({"refreshToken": 5}, "refreshToken"),
        ({"refresh_token": ["x"]}, "refresh_token"),
        ({"id": "1"}, "id"),
        ({"id": True}, "id"),
        ({"priority": -1}, "priority"),
        ({"priority": 1.5}, "priority"),
        ({"disabled": "yes"}, "disabled"),
        ({"region": "eu-west-1.evil.example/"}, "region"),
        ({"authRegion": "EU"}, "authRegion"),
        ({"proxyUrl": "ftp://evil"}, "proxyUrl"),
        ({"proxy_url": "http://me:evil@"}, "proxy_url"),
        ({"refreshToken": LONG, "authMethod": "external_idp"}, "authMethod"),
        ({"unheardOf": 1}, ""),
        ({}, ""),
    ],
)
def test_a_bad_field_is_named_without_its_value(entry: JsonObject, member: str) -> None:
    with pytest.raises(BadField) as caught:
        parse_credential(entry)
    assert caught.value.name == member
    assert "evil" not in str(caught.value)


@pytest.mark.parametrize("url", ["direct", "DIRECT", "socks5h://[::1]:9050", "http://me:secret@proxy.example:8080"])
def test_a_proxy_of_its_own(url: str) -> None:
    assert parse_credential({"id": 1, "proxyUrl": url}).proxy_url == url


def test_absent_null_and_empty_are_the_same() -> None:
    assert parse_credential({"id": 1, "region": "", "email": None}) == Credential(id=1)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-02-13T10:00:00.123456789+00:00", NOW.replace(microsecond=123456)),
        ("2026-02-13T10:00:00Z", NOW),
        ("2026-02-13T12:00:00+02:00", NOW),
        ("2026-02-13 10:00:00", NOW),
        (" 2026-02-13T10:00:00Z ", NOW),
        (NOW.timestamp(), NOW),
        (int(NOW.timestamp()) * 1000, NOW),
        (str(int(NOW.timestamp())), NOW),
        ("soon", None),
        ("", None),
        (True, None),
        ([], None),
        (float("nan"), None),
        (1e300, None),
        ("inf", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-05:00", None),
    ],
)
def test_times(written: Json, moment: datetime | None) -> None:
    assert parse_time(written) == moment


@given(st.integers(min_value=315_532_800, max_value=7_258_118_400))
def test_whole_seconds_survive_writing_and_reading(seconds: int) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    assert parse_time(format_time(moment + timedelta(milliseconds=700))) == moment


@pytest.mark.parametrize(
    ("left", "due", "valid"),
    [
        (timedelta(minutes=10, seconds=1), False, True),
        (timedelta(minutes=10), True, True),
        (timedelta(seconds=1), True, True),
        (timedelta(0), True, False),
        (timedelta(hours=-1), True, False),
        (None, True, False),
    ],
)
def test_refresh_is_due_ten_minutes_early(left: timedelta | None, due: bool, valid: bool) -> None:
    credential = Credential(access_token="a", expires_at=None if left is None else NOW + left)
    assert credential.needs_refresh(NOW) is due
    assert credential.is_valid(NOW) is valid


def test_without_an_access_token_refresh_is_due() -> None:
    assert Credential(expires_at=NOW + timedelta(hours=1)).needs_refresh(NOW)


def test_api_keys_are_bearers_that_never_expire() -> None:
    key = Credential(id=-1, auth_method="api_key", kiro_api_key="ksk_test")
    assert key.bearer == "ksk_test"
    assert not key.needs_refresh(NOW)
    assert key.is_valid(NOW)
    assert key.in_memory_only
    assert key.problem() is None
    assert key.fingerprint == fingerprint("ksk_test")
    without = Credential(auth_method="api_key", refresh_token=LONG)
    assert not without.is_valid(NOW)
    assert without.problem() == "kiroApiKey is missing."
    assert without.fingerprint is None


def test_bearer_is_the_access_token_or_nothing() -> None:
    assert Credential(access_token="a").bearer == "a"
    assert Credential().bearer == ""


@pytest.mark.parametrize(
    ("token", "says"),
    [
        (None, "missing"),
        ("", "missing"),
        ("aor" + "x" * 96, "(99 characters)"),
        ("aor" + "x" * 100 + "..." + "y" * 50, "truncated"),
        (LONG, None),
    ],
)
def test_a_cut_refresh_token_is_noticed(token: str | None, says: str | None) -> None:
    problem = refresh_token_problem(token)
    assert problem is None if says is None else problem is not None and says in problem
    assert Credential(refresh_token=token).problem() == problem


def test_idc_needs_its_client() -> None:
    whole = Credential(auth_method="idc", refresh_token=LONG, client_id="c", client_secret="s")
    assert whole.problem() is None
    for lacking in (replace(whole, client_id=None), replace(whole, client_secret=None)):
        assert lacking.problem() == "clientId and clientSecret are both needed to refresh an idc login."
    assert "refreshToken" in str(replace(whole, client_id=None, refresh_token=None).problem())


# --- grants -----------------------------------------------------------------------------------------------------


def test_a_grant_changes_token_fields_only() -> None:
    old = parse_credential(FULL)
    new = with_grant(old, TokenGrant("a2", "r2", 3600, "arn:new"), NOW)
    assert set(changed_members(old, new)) == {"accessToken", "refreshToken", "expiresAt", "profileArn"} - (
        {"expiresAt"} if old.expires_at == new.expires_at else set()
    )
    assert (new.access_token, new.refresh_token, new.profile_arn) == ("a2", "r2", "arn:new")


@pytest.mark.parametrize(
    ("expires_in", "expires_at"),
    [
        (60, NOW + timedelta(seconds=60)),
        (None, NOW + timedelta(hours=1)),
        (-5, NOW),
        (1e15, NOW + timedelta(days=3650)),
    ],
)
def test_odd_lifetimes_are_stored_all_the_same(expires_in: float | None, expires_at: datetime) -> None:
    new = with_grant(Credential(refresh_token="r1"), TokenGrant("a", expires_in=expires_in), NOW)
    assert new == Credential(access_token="a", refresh_token="r1", expires_at=expires_at)


def test_a_grant_without_an_access_token_still_rotates() -> None:
    old = Credential(access_token="a1", refresh_token="r1", expires_at=NOW)
    assert with_grant(old, TokenGrant("", "r2"), NOW) == replace(old, refresh_token="r2")


def jwt(claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"head.{body}.tail"


@pytest.mark.parametrize(
    ("token", "email"),
    [
        (jwt({"email": "a@x", "sub": "b@x"}), "a@x"),
        (jwt({"email": "", "preferred_username": "b@x"}), "b@x"),
        (jwt({"preferred_username": "nobody", "sub": "c@x"}), "c@x"),
        (jwt({"sub": "12345"}), None),
        (jwt(["list"]), None),
        ("aoa-opaque", None),
        ("a.%%%.c", None),
        ("a.b.c", None),
        ("a.é.c", None),
    ],
)
def test_the_email_of_a_jwt(token: str, email: str | None) -> None:
    assert email_in_token(token) == email
    assert with_grant(Credential(), TokenGrant(token), NOW).email == email
    assert with_grant(Credential(email="known@x"), TokenGrant(token), NOW).email == "known@x"


# --- machine ids and regions ------------------------------------------------------------------------------------

UUID = "2582956e-cc88-4669-b546-07adbffcb894"
DOUBLED = "2582956ecc884669b54607adbffcb8942582956ecc884669b54607adbffcb894"


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("A" * 64, "A" * 64),
        (f"  {UUID}\n", DOUBLED),
        (UUID.replace("-", ""), DOUBLED),
        ("not-hex", None),
        ("a" * 63, None),
        (None, None),
    ],
)
def test_machine_ids_are_normalised(written: str | None, used: str | None) -> None:
    assert normalise_machine_id(written) == used


def test_the_chain_of_machine_ids() -> None:
    social = Credential(refresh_token="test_refresh_token")
    derived = "d8f9e744094de07e7773b722f04e18417ab6ea08442df337812cd632e1c92e40"
    assert social.effective_machine_id() == derived
    assert social.effective_machine_id("unusable") == derived
    assert social.effective_machine_id(UUID) == DOUBLED
    assert replace(social, machine_id="b" * 64).effective_machine_id(UUID) == "b" * 64
    assert replace(social, machine_id="unusable").effective_machine_id(UUID) == DOUBLED
    key = Credential(auth_method="api_key", kiro_api_key="ksk_test")
    assert key.effective_machine_id() == "77c6119960ea126f1c3e0638e5851b977e029fd3ff89ba34ad72f4df20e856f1"
    bare = Credential(access_token="a", profile_arn="arn")
    assert bare.effective_machine_id() == replace(bare, access_token="b").effective_machine_id()
    assert len(Credential().effective_machine_id()) == 64


def test_the_derived_machine_id_is_fixed_before_the_token_rotates() -> None:
    credential = Credential(refresh_token="r1")
    fixed = with_fixed_machine_id(credential, None)
    assert with_grant(fixed, TokenGrant("a", "r2"), NOW).effective_machine_id() == credential.effective_machine_id()
    assert with_fixed_machine_id(credential, UUID) is credential
    theirs = replace(credential, machine_id="unusable")
    assert with_fixed_machine_id(theirs, None) is theirs


@pytest.mark.parametrize(
    ("credential", "config", "auth", "api"),
    [
        (Credential(), Config(), "us-east-1", "us-east-1"),
        (Credential(), Config(region="eu-west-1"), "eu-west-1", "eu-west-1"),
        (Credential(), Config(auth_region="eu-west-2", api_region="eu-west-3"), "eu-west-2", "eu-west-3"),
        (Credential(region="ap-south-1"), Config(auth_region="eu-west-2"), "ap-south-1", "us-east-1"),
        (Credential(region="ap-south-1", auth_region="sa-east-1"), Config(), "sa-east-1", "us-east-1"),
        (Credential(api_region="eu-north-1"), Config(api_region="eu-west-3"), "us-east-1", "eu-north-1"),
        (
            Credential(api_region="us-east-1", profile_arn="arn:aws:codewhisperer:eu-central-1:1:profile/A"),
            Config(api_region="us-east-1"),
            "us-east-1",
            "eu-central-1",
        ),
    ],
)  # fmt: skip
def test_regions(credential: Credential, config: Config, auth: str, api: str) -> None:
    assert auth_region_of(credential, config) == auth
    assert api_region_of(credential, config) == api


@pytest.mark.parametrize(
    ("arn", "region"),
    [
        ("arn:aws-us-gov:codewhisperer:us-gov-west-1:1:profile/A", "us-gov-west-1"),
        ("arn:aws:codewhisperer::1:profile/A", None),
        ("nonsense", None),
        (None, None),
    ],
)
def test_the_region_of_an_arn(arn: str | None, region: str | None) -> None:
    assert arn_region(arn) == region


def test_nothing_secret_is_printed() -> None:
    shown = repr(parse_credential({**FULL, "kiroApiKey": "ksk_secret"})) + repr(TokenGrant("aoa-secret", "aor-secret"))
    for secret in ("aoa-secret", LONG, "hush", "ksk_secret", "pass", "me@example.com", "aor-secret", "0" * 64):
        assert secret not in shown
