from __future__ import annotations

import pytest

from kiro_rs_py.simulator.accounts import Account, Clock
from kiro_rs_py.simulator.asgi import Request
from kiro_rs_py.simulator.grants import REMEMBERED, Grants
from kiro_rs_py.simulator.refusal import OAuthRefusal
from tests.simulator.talk import verdict

BEARER = "The bearer token included in the request is invalid."


def grants_for(*accounts: Account) -> Grants:
    return Grants(Clock(), {account.name: account for account in accounts})


def bearer(token: str, kind: str | None = None) -> Request:
    headers = (("authorization", f"Bearer {token}"), *((("tokentype", kind),) if kind else ()))
    return Request("POST", "/", {}, headers, b"")


def outcome(grants: Grants) -> str:
    return grants.refreshes[-1].outcome


def test_tokens_look_like_the_real_ones() -> None:
    grant = grants_for().login(Account(name="x"))
    assert grant.refresh_token.startswith("aorAAAAAG")
    assert len(grant.refresh_token) >= 100
    assert grant.access_token.startswith("aoa")
    assert grant.access_token not in repr(grant)


def test_refreshing_rotates() -> None:
    account = Account(name="x", access_lifetime=60)
    grants = grants_for(account)
    first = grants.login(account)
    second = grants.refresh(first.refresh_token)
    third = grants.refresh(second.refresh_token)
    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
    assert grants.account_of(bearer(third.access_token)) is account
    assert outcome(grants) == "rotated"
    assert third.to_json()["expiresIn"] == 60


def test_a_spent_token_revokes_the_family() -> None:
    account = Account(name="x")
    grants = grants_for(account)
    first = grants.login(account)
    second = grants.refresh(first.refresh_token)
    with pytest.raises(OAuthRefusal):
        grants.refresh(first.refresh_token)
    assert (grants.reuses, outcome(grants)) == (1, "reuse")
    with pytest.raises(OAuthRefusal) as refused:
        grants.refresh(second.refresh_token)
    assert (refused.value.error, outcome(grants)) == ("invalid_grant", "revoked")
    assert verdict(lambda: grants.account_of(bearer(second.access_token))) == BEARER


def test_another_login_is_another_family() -> None:
    account = Account(name="x")
    grants = grants_for(account)
    first, other = grants.login(account), grants.login(account)
    grants.refresh(first.refresh_token)
    with pytest.raises(OAuthRefusal):
        grants.refresh(first.refresh_token)
    assert grants.account_of(bearer(grants.refresh(other.refresh_token).access_token)) is account


def test_strangers_are_refused() -> None:
    account = Account(name="x", method="idc")
    grants = grants_for(account)
    with pytest.raises(OAuthRefusal):
        grants.refresh("aorAAAAAGunknown")
    assert (outcome(grants), grants.refreshes[-1].account) == ("unknown", None)
    mine = grants.login(account, client_id="c1")
    with pytest.raises(OAuthRefusal):
        grants.refresh(mine.refresh_token, client_id="c2")
    assert outcome(grants) == "foreign"
    grants.refresh(mine.refresh_token, client_id="c1")


def test_access_tokens_expire() -> None:
    account = Account(name="x", access_lifetime=10)
    grants = grants_for(account)
    grant = grants.login(account)
    grants.clock.advance(9)
    assert grants.account_of(bearer(grant.access_token)) is account
    grants.clock.advance(2)
    assert verdict(lambda: grants.account_of(bearer(grant.access_token))) == BEARER


def test_tokens_can_be_taken_away() -> None:
    account = Account(name="x")
    grants = grants_for(account)
    grant = grants.login(account)
    grants.expire(account)
    assert verdict(lambda: grants.account_of(bearer(grant.access_token))) == BEARER
    fresh = grants.refresh(grant.refresh_token)
    grants.revoke(account)
    assert verdict(lambda: grants.account_of(bearer(fresh.access_token))) == BEARER
    with pytest.raises(OAuthRefusal):
        grants.refresh(fresh.refresh_token)


@pytest.mark.parametrize("headers", [(), (("authorization", "Basic x"),), (("authorization", "Bearer "),)])
def test_calls_without_a_bearer_token(headers: tuple[tuple[str, str], ...]) -> None:
    asked = Request("POST", "/", {}, headers, b"")
    assert verdict(lambda: grants_for().account_of(asked)) == BEARER


def test_token_types() -> None:
    social, key = Account(name="s"), Account(name="k", method="api_key")
    grants = grants_for(social, key)
    token = grants.login(social).access_token
    assert grants.account_of(bearer("ksk_k", "API_KEY")) is key
    assert verdict(lambda: grants.account_of(bearer("ksk_k"))) == "profileArn is required for this request."
    assert verdict(lambda: grants.account_of(bearer("ksk_other", "API_KEY"))) == BEARER
    assert verdict(lambda: grants.account_of(bearer(token, "EXTERNAL_IDP"))) == "Invalid token"
    assert grants.account_of(bearer(token, "SSO_OIDC")) is social


def test_the_tables_stay_bounded() -> None:
    account = Account(name="x")
    grants = grants_for(account)
    first = grants.login(account)
    for _ in range(REMEMBERED):
        last = grants.login(account)
    assert verdict(lambda: grants.account_of(bearer(first.access_token))) == BEARER
    assert grants.account_of(bearer(last.access_token)) is account
    with pytest.raises(OAuthRefusal):
        grants.refresh(first.refresh_token)
