from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from kiro_rs_py.convert.anthropic import Json
from kiro_rs_py.simulator.accounts import Account, ArnRule, Clock, demo_accounts
from kiro_rs_py.simulator.asgi import Request
from tests.simulator.talk import verdict

ARN = "arn:aws:codewhisperer:us-east-1:000000000001:profile/OWN"
FOREIGN = "arn:aws:codewhisperer:us-east-1:000000000002:profile/OTHER"
ELSEWHERE = "arn:aws:codewhisperer:eu-central-1:000000000001:profile/OWN"
REQUIRED = "profileArn is required for this request."
IMPROPER = "Improperly formed request."


def request(version: str = "0.9.2") -> Request:
    agent = f"aws-sdk-js/1.0.27 ua/2.1 os/linux KiroIDE-{version}-{'a' * 64}"
    return Request("POST", "/", {}, (("user-agent", agent),), b"")


def profile_verdict(account: Account, arn: Json, version: str = "0.9.2", rule: ArnRule | None = None) -> str | None:
    return verdict(lambda: account.check_profile(arn, request(version), rule=rule))


def test_the_clock_can_be_set_forward() -> None:
    clock = Clock()
    clock.advance(3600)
    assert clock.now() > time.time() + 3500


def test_demo_accounts_are_of_all_kinds() -> None:
    assert [account.method for account in demo_accounts()] == ["social", "idc", "api_key"]


def test_there_are_only_so_many_plans() -> None:
    with pytest.raises(ValueError, match="no such plan: KIRO GOLD"):
        Account(name="x", plan="KIRO GOLD")


def test_a_key_account_has_a_key() -> None:
    assert Account(name="x", method="api_key").api_key == "ksk_x"
    assert "ksk_x" not in repr(Account(name="x", method="api_key"))


def test_credits_include_the_trial() -> None:
    account = Account(name="x", plan="KIRO FREE", used=10, trial=(5, 500))
    assert (account.credits_used, account.credit_limit) == (15, 550)


@pytest.mark.parametrize(
    "change, expected",
    [
        (lambda account: setattr(account, "suspended", True), "locked your account"),
        (lambda account: setattr(account, "throttled", True), "Too many requests"),
        (lambda account: setattr(account, "used", 1000.0), "MONTHLY_REQUEST_COUNT"),
    ],
)
def test_barred_accounts(change: Callable[[Account], None], expected: str) -> None:
    account = Account(name="x")
    assert verdict(account.refuse_if_barred) is None
    change(account)
    assert expected in (verdict(account.refuse_if_barred) or "")


def test_profile_rules() -> None:
    account = Account(name="x", profile_arn=ARN)
    assert profile_verdict(account, None) is None
    assert profile_verdict(account, ARN) is None
    assert profile_verdict(account, FOREIGN) == "User is not authorized to make this call."
    assert profile_verdict(account, ELSEWHERE) == IMPROPER
    assert profile_verdict(account, "nonsense") == IMPROPER
    assert profile_verdict(account, 7) == IMPROPER


def test_a_profile_may_be_demanded() -> None:
    assert profile_verdict(Account(name="x"), None, "0.12.184") == REQUIRED
    assert profile_verdict(Account(name="x"), None, "0.12.183") is None
    assert profile_verdict(Account(name="x", method="api_key"), None, "1.0.0") is None


def test_one_operation_may_have_its_own_rule() -> None:
    account = Account(name="x", profile_arn=ARN)
    assert profile_verdict(account, ARN, rule="forbidden") == IMPROPER
    assert profile_verdict(account, None, rule="forbidden") is None
    assert profile_verdict(account, None, rule="required") == REQUIRED
    assert profile_verdict(account, None, rule="optional") is None
