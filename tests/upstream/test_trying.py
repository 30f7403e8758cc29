"""One call, several credentials and hosts. What the chat makes of it is in test_client.py."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

import httpx
import pytest
import trio
import trio.testing

from kiro_rs_py.config import Config
from kiro_rs_py.errors import (
    InvalidRequest,
    KiroError,
    NoUsableCredential,
    QuotaExhausted,
    Throttled,
    UpstreamOverloaded,
    UpstreamUnavailable,
)
from kiro_rs_py.upstream.attempts import Attempts, OwnTally
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.endpoints import Endpoint, Endpoints
from kiro_rs_py.upstream.leases import Abandoned, Failed, Lease, Outcome, Succeeded
from kiro_rs_py.upstream.trying import WrongEndpoint, on_hosts, with_credentials

CREDENTIAL = Credential(id=1, access_token="aoa")


class Accounts:
    """A pool of ``count`` accounts; ``told`` is what it hears of each."""

    def __init__(self, count: int) -> None:
        self.ids = range(1, count + 1)
        self.told: list[tuple[int, Outcome]] = []

    async def lease(self, model: str, *, tried: Collection[int] = ()) -> Lease:
        await trio.lowlevel.checkpoint()
        for id_ in self.ids:
            if id_ not in tried:
                return Lease(Credential(id=id_, access_token="a"), model, 0.0, self._settle)
        raise NoUsableCredential("nobody")

    def _settle(self, lease: Lease, outcome: Outcome) -> None:
        self.told.append((lease.credential.id, outcome))


def failing(*errors: Exception) -> Callable[[Lease], object]:
    """A call that fails with ``errors`` one after the other, then says who succeeded."""
    left = list(errors)

    async def call(lease: Lease) -> int:
        await trio.lowlevel.checkpoint()
        if left:
            raise left.pop(0)
        lease.report(Succeeded())
        return lease.credential.id

    return call


async def run(accounts: Accounts, call: Callable[[Lease], object]) -> object:
    attempts = Attempts(trio.current_time() + 60, lambda: 0.0)
    return await with_credentials(accounts, attempts, "", "req_1", call)  # type: ignore[arg-type]


async def test_the_next_account_takes_over() -> None:
    accounts, throttled = Accounts(2), Throttled("slow down")
    assert await run(accounts, failing(throttled)) == 2
    assert accounts.told == [(1, Failed(throttled)), (2, Succeeded())]


async def test_bad_luck_is_tried_with_another_account_first_then_again(autojump_clock: trio.testing.MockClock) -> None:
    accounts, busy = Accounts(2), UpstreamOverloaded("busy")
    assert await run(accounts, failing(busy, busy)) == 1
    assert [id_ for id_, _ in accounts.told] == [1, 2, 1]


async def test_the_most_hopeful_error_is_raised() -> None:
    accounts = Accounts(2)
    with pytest.raises(Throttled):
        await run(accounts, failing(Throttled("slow down"), QuotaExhausted("used up")))


async def test_nobody_at_all() -> None:
    with pytest.raises(NoUsableCredential):
        await run(Accounts(0), failing())


async def test_alone_in_bad_luck_for_ever(autojump_clock: trio.testing.MockClock) -> None:
    accounts = Accounts(1)
    with pytest.raises(UpstreamOverloaded):
        await run(accounts, failing(*[UpstreamOverloaded("busy")] * 9))
    assert len(accounts.told) == 3


async def test_an_account_that_is_gone_meanwhile(autojump_clock: trio.testing.MockClock) -> None:
    class Leaving(Accounts):
        async def lease(self, model: str, *, tried: Collection[int] = ()) -> Lease:
            lease = await super().lease(model, tried=tried)
            self.ids = range(0)
            return lease

    with pytest.raises(UpstreamOverloaded):
        await run(Leaving(1), failing(UpstreamOverloaded("busy")))


@pytest.mark.parametrize("error", [InvalidRequest("the client's"), RuntimeError("a bug")])
async def test_what_is_nobodys_fault_is_told_so(error: Exception) -> None:
    accounts = Accounts(2)
    with pytest.raises(type(error)):
        await run(accounts, failing(error))
    assert accounts.told == [(1, Abandoned())]


async def test_the_log_has_facts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await run(Accounts(2), failing(Throttled("slow down", status=429, reason="R")))
    [line] = caplog.messages
    assert line == (
        "request req_1: attempt 1 with credential #1 failed: Throttled: slow down"
        " (status 429, reason R, upstream id None)"
    )


# --- hosts --------------------------------------------------------------------------------------------------------


class Hosts:
    """Takes the call on some of the hosts; ``asked`` are those that were tried."""

    def __init__(self, *takers: str, error: KiroError | None = None) -> None:
        self.takers = takers
        self.asked: list[str] = []

    async def call(self, endpoint: Endpoint) -> str:
        await trio.lowlevel.checkpoint()
        self.asked.append(endpoint.host)
        if endpoint.host in self.takers:
            return endpoint.host
        raise WrongEndpoint(UpstreamUnavailable(f"not {endpoint.host}")) from httpx.ConnectError("no")


async def test_the_host_that_took_the_call_is_remembered() -> None:
    hosts, endpoints = Hosts("runtime"), Endpoints(Config())
    for _ in range(2):
        assert await on_hosts(endpoints, Config(), CREDENTIAL, "req_1", hosts.call) == "runtime"
    assert hosts.asked == ["q", "runtime", "runtime"]


async def test_when_no_host_takes_it_the_last_word_counts() -> None:
    hosts = Hosts()
    with pytest.raises(UpstreamUnavailable, match="not runtime") as caught:
        await on_hosts(Endpoints(Config()), Config(), CREDENTIAL, "req_1", hosts.call)
    assert isinstance(caught.value.__cause__, httpx.ConnectError)


async def test_the_tally_is_kept_whatever_comes_of_it(autojump_clock: trio.testing.MockClock) -> None:
    """Pauses and waiting for an account count as waiting; what the call itself does is its own to count."""
    tally = OwnTally()
    attempts = Attempts(trio.current_time() + 1000, lambda: 0.0, tally)
    errors = [UpstreamOverloaded("later", retry_after=5.0), QuotaExhausted("spent"), InvalidRequest("bad")]
    with pytest.raises(InvalidRequest):
        await with_credentials(Accounts(3), attempts, "m", "req_1", failing(*errors))  # type: ignore[arg-type]
    assert (tally.attempts, tally.retries, tally.credential_id) == (3, 2, 3)
    assert tally.waited == pytest.approx(5.0)
