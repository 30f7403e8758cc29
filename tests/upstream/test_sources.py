"""Formats as upstream-protocol §5.4–5.6 and operations §11 describe them; every token here is made up."""

from __future__ import annotations

import json

import pytest

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.errors import UnusableSource
from kiro_rs_py.upstream.sources import SourceName, from_cli_token, read_text

REFRESH = "aorAAAAAG" + "r" * 120
ACCESS = "aoa" + "a" * 60


def test_api_key() -> None:
    found = read_text("  ksk_0123456789abcdef\n")
    assert (found.source, found.entries) == (
        "api-key",
        ({"kiroApiKey": "ksk_0123456789abcdef", "authMethod": "api_key"},),
    )


def test_bare_refresh_token_in_quotes() -> None:
    assert read_text(f'"{REFRESH}"').entries == ({"refreshToken": REFRESH, "authMethod": "social"},)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "nothing to import"),
        ("   \n", "nothing to import"),
        ("aorAAAAAG..." + "r" * 100, "cut"),
        ("aorAAAAAG" + "r" * 40, "cut (49 characters"),
        ("hello", "starts with 'aor'".replace("starts", "start")),
        ('{"refreshToken": ', "line 1"),
        ("[" * 5000, "nested too deeply"),
        ("{}", "no Kiro account"),
        ("[]", "no Kiro account"),
        ("[1, 2]", "no Kiro account"),
        ('{"accounts": []}', "the list is empty"),
        ('{"accounts": [{"email": "a@example.com"}]}', "a@example.com has no refresh token"),
        ('[{"id": 1, "refreshToken": ""}]', "Entry 1 has neither"),
    ],
)
def test_unusable_text_gets_one_sentence(text: str, says: str) -> None:
    with pytest.raises(UnusableSource) as caught:
        read_text(text)
    assert says in str(caught.value)
    assert "rrrr" not in str(caught.value)


def test_kiro_rs_array_keeps_its_fields_but_not_its_ids() -> None:
    document = [
        {"id": 7, "refreshToken": REFRESH, "authMethod": "social", "priority": 2, "surprise": {"kept": True}},
        {"id": 8, "kiroApiKey": "ksk_0123456789abcdef"},
        {"id": 9},
    ]
    found = read_text(json.dumps(document))
    assert found.source == "kiro-rs"
    assert found.entries == (
        {"refreshToken": REFRESH, "authMethod": "social", "priority": 2, "surprise": {"kept": True}},
        {"kiroApiKey": "ksk_0123456789abcdef"},
    )
    assert found.skipped == ("Entry 3 has neither refreshToken nor kiroApiKey.",)


def test_kam_export_old_and_new_style() -> None:
    nested: JsonObject = {
        "email": "a@example.com",
        "machineId": "f" * 64,
        "idp": "BuilderId",
        "credentials": {
            "accessToken": ACCESS,
            "refreshToken": REFRESH,
            "clientId": "id",
            "clientSecret": "secret",
            "region": "us-east-1",
            "expiresAt": 1_785_542_400_000,
        },
        "status": "active",
    }
    flat: JsonObject = {"label": "work", "refreshToken": REFRESH, "provider": "Google"}
    broken: JsonObject = {"nickname": "old", "credentials": {"refreshToken": REFRESH}, "status": "error"}
    found = read_text(json.dumps({"version": "1.8", "accounts": [nested, flat, broken]}))
    assert found.source == "kam"
    assert found.entries == (
        {
            "refreshToken": REFRESH,
            "accessToken": ACCESS,
            "clientId": "id",
            "clientSecret": "secret",
            "machineId": "f" * 64,
            "email": "a@example.com",
            "authRegion": "us-east-1",
            "expiresAt": 1_785_542_400_000,
            "provider": "BuilderId",
            "authMethod": "idc",
        },
        {"refreshToken": REFRESH, "provider": "Google", "label": "work", "authMethod": "social"},
    )
    assert found.skipped == ("old is marked as broken in the export.",)


def test_kam_names_the_provider_idp() -> None:
    account = {"email": "a@example.com", "idp": "Google", "credentials": {"refreshToken": REFRESH}}
    (entry,) = read_text(json.dumps({"accounts": [account]})).entries
    assert (entry["authMethod"], entry["provider"]) == ("social", "Google")


def test_ide_social_token_pasted_as_text() -> None:
    token = {"accessToken": ACCESS, "refreshToken": REFRESH, "authMethod": "social", "provider": "Github"}
    token["profileArn"] = "arn:aws:codewhisperer:us-east-1:123456789012:profile/X"
    found = read_text(json.dumps(token))
    assert found.source == "kiro-ide"
    assert found.entries[0]["authMethod"] == "social"
    assert found.entries[0]["profileArn"] == token["profileArn"]


def test_pasted_kiro_cli_token() -> None:
    found = read_text(json.dumps({"refresh_token": REFRESH, "expires_at": "2026-08-01T00:00:00Z"}))
    assert (found.source, found.entries[0]["authMethod"]) == ("kiro-cli", "social")


@pytest.mark.parametrize(
    "record",
    [
        {
            "refreshToken": REFRESH,
            "authMethod": "external_idp",
            "provider": "ExternalIdp",
            "tokenEndpoint": "https://x",
        },
        {"credentials": {"refreshToken": REFRESH, "authMethod": "AzureAD"}},
    ],
)
def test_a_companys_own_sign_in_is_refused_instead_of_taken_for_a_social_one(record: JsonObject) -> None:
    with pytest.raises(UnusableSource, match="create an API key"):
        read_text(json.dumps(record))


def test_a_region_is_kept_for_logins_that_have_one() -> None:
    social = {"nickname": "s", "refreshToken": REFRESH, "region": "eu-west-1", "provider": "Google"}
    idc = {**social, "clientId": "id", "clientSecret": "secret", "provider": "Enterprise"}
    found = read_text(json.dumps([social, idc]))
    assert found.source == "kam"
    assert ["authRegion" in entry for entry in found.entries] == [False, True]


def test_a_kiro_rs_object_is_not_taken_for_the_ides() -> None:
    """It looks like Kiro IDE's, and has more."""
    record = {"refreshToken": REFRESH, "authMethod": "social", "provider": "Google", "priority": 3, "machineId": "m"}
    found = read_text(json.dumps(record))
    assert (found.source, found.entries) == ("kiro-rs", (record,))


def test_a_forced_format_says_what_is_missing() -> None:
    with pytest.raises(UnusableSource, match="start with 'ksk_'"):
        read_text(REFRESH, source="api-key")
    with pytest.raises(UnusableSource, match="start with 'aor'"):
        read_text("ksk_0123456789abcdef", source="token")
    with pytest.raises(UnusableSource, match="neither a token nor JSON"):
        read_text("ksk_0123456789abcdef", source="kam")


@pytest.mark.parametrize("source", [None, "api-key"])
def test_a_cut_api_key_is_not_called_something_else(source: SourceName | None) -> None:
    with pytest.raises(UnusableSource, match="API key is cut"):
        read_text("ksk_0123", source=source)


def test_kiro_clis_builder_id_has_its_name() -> None:
    record = {"refresh_token": REFRESH, "start_url": "https://view.awsapps.com/start"}
    entry = from_cli_token(record, {"clientId": "c", "clientSecret": "s"})
    assert isinstance(entry, dict)
    assert (entry["provider"], entry["authMethod"]) == ("BuilderId", "idc")


@pytest.mark.parametrize("flow", [{"start_url": "https://d-1.awsapps.com/start"}, {"oauth_flow": "DeviceCode"}])
def test_a_kiro_cli_token_without_its_registration(flow: JsonObject) -> None:
    with pytest.raises(UnusableSource, match="device registration"):
        read_text(json.dumps({"refresh_token": REFRESH, "expires_at": "2026-08-01T00:00:00Z", **flow}))
