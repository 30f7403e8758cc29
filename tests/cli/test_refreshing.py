"""What the pool says, in the words of the command; the rest is seen through the command in test_refresh.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kiro_rs_py.cli.refreshing import Outcome, Result, Wanted, refresh_accounts
from kiro_rs_py.config import Config
from kiro_rs_py.errors import NotFound, RefreshFailed
from kiro_rs_py.upstream.credential import Credential, TokenGrant
from kiro_rs_py.upstream.pool import open_pool
from tests.upstream.memory import MemoryCredentialStore, MemoryStateStore

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
CREDENTIAL = Credential(id=2, email="me@example.com", expires_at=NOW + timedelta(hours=1))
ALL = Wanted((), everything=True, within=timedelta(0))


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        ("refreshed", "#2 me@example.com: refreshed, expires in 1 h 0 min"),
        ("fresh", "#2 me@example.com: nothing to do, expires in 1 h 0 min"),
        ("no_refresh_needed", "#2 me@example.com: nothing to do, an API key does not expire"),
        ("disabled", "#2 me@example.com: left out, it is disabled"),
    ],
)
def test_good_results_go_to_stdout(outcome: Outcome, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    Result(CREDENTIAL, outcome, NOW).print(quiet=False, as_json=False)
    assert capsys.readouterr() == (f"{line}\n", "")
    Result(CREDENTIAL, outcome, NOW).print(quiet=True, as_json=False)
    Result(CREDENTIAL, outcome, NOW).print(quiet=False, as_json=True)
    assert capsys.readouterr() == ("", "")


def test_failures_go_to_stderr_however_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    Result(CREDENTIAL, "failed", NOW, "No.").print(quiet=True, as_json=True)
    assert capsys.readouterr() == ("", "error: #2 me@example.com: No.\n")


class Removing:
    """A token service during whose call somebody removes the account."""

    def __init__(self, store: MemoryCredentialStore) -> None:
        self.store = store

    async def refresh(self, credential: Credential) -> TokenGrant:
        self.store.replace("[]")
        raise RefreshFailed("no answer", retry_after=1.0)


async def test_an_account_that_is_removed_meanwhile() -> None:
    store = MemoryCredentialStore(f'[{{"id": 1, "refreshToken": "{"r" * 120}"}}]')
    async with open_pool(Config(), store, MemoryStateStore(), Removing(store), background=False) as pool:
        results, broken = await refresh_accounts(pool, ALL)
        assert [result.outcome for result in results] == ["failed"]
        assert not broken
        with pytest.raises(NotFound):
            await refresh_accounts(pool, Wanted((7,), everything=False, within=timedelta(0)))
