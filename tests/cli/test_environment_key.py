from __future__ import annotations

import pytest

from kiro_rs_py.cli.environment_key import environment_accounts
from kiro_rs_py.errors import ConfigError


@pytest.mark.parametrize("environ", [{}, {"KIRO_API_KEY": ""}, {"KIRO_API_KEY": " \n"}])
def test_no_key_no_account(environ: dict[str, str]) -> None:
    assert environment_accounts(environ) == ()


def test_a_key_is_an_account() -> None:
    (account,) = environment_accounts({"KIRO_API_KEY": "ksk_0123456789\n"})
    assert (account.auth_method, account.bearer, account.problem()) == ("api_key", "ksk_0123456789", None)
    assert "ksk" not in repr(account)


def test_something_else_is_refused_unseen() -> None:
    with pytest.raises(ConfigError, match="KIRO_API_KEY is no API key") as caught:
        environment_accounts({"KIRO_API_KEY": "sk-ant-secret"})
    assert "secret" not in str(caught.value)
