"""Carrying one call out: with one credential after another, on one host after another.

:mod:`~kiro_rs_py.upstream.attempts` decides how often and with whom; this acts on it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

import trio

from kiro_rs_py.config import Config
from kiro_rs_py.errors import ClientError, KiroError, NoUsableCredential, UpstreamError
from kiro_rs_py.upstream.attempts import Attempts, Tally
from kiro_rs_py.upstream.credential import Credential, api_region_of
from kiro_rs_py.upstream.endpoints import Endpoint, Endpoints
from kiro_rs_py.upstream.leases import Abandoned, Failed, Lease

logger = logging.getLogger(__name__)

T = TypeVar("T")


class LeaseSource(Protocol):
    """What callers need of the pool."""

    async def lease(self, model: str, *, tried: Collection[int] = ()) -> Lease: ...


async def with_credentials(
    pool: LeaseSource, attempts: Attempts, model: str, request_id: str, call: Callable[[Lease], Awaitable[T]]
) -> T:
    """What ``call`` returns for the first lease it succeeds with; that lease is its own to report.

    ``request_id`` names the request in the log. Raises the error for the client: that of the request itself, else what
    the most hopeful account failed with, else NoUsableCredential.
    """
    tally = attempts.tally
    while True:
        with waiting(tally):
            lease = await _lease(pool, attempts, model)
        attempts.begin(lease.credential.id)
        try:
            return await call(lease)
        except KiroError as exc:
            lease.report(Abandoned() if isinstance(exc, ClientError) else Failed(exc))
            _log_failure(request_id, attempts, lease, exc)
            pause = attempts.failed(lease.credential.id, exc, trio.current_time())
        except BaseException:
            lease.report(Abandoned())
            raise
        with waiting(tally):
            await trio.sleep(pause)


@contextmanager
def waiting(tally: Tally) -> Iterator[None]:
    """Count the time inside as waiting for the upstream."""
    since = trio.current_time()
    try:
        yield
    finally:
        tally.waited += trio.current_time() - since


async def _lease(pool: LeaseSource, attempts: Attempts, model: str) -> Lease:
    """A credential that has had no bad luck yet, else one whose bad luck was nobody's fault."""
    try:
        return await pool.lease(model, tried=attempts.excluded | attempts.avoided)
    except NoUsableCredential as nobody:
        if attempts.avoided <= attempts.excluded:
            raise attempts.exhausted(nobody) from None
    try:
        return await pool.lease(model, tried=attempts.excluded)
    except NoUsableCredential as nobody:
        raise attempts.exhausted(nobody) from None


class WrongEndpoint(Exception):
    """This host does not take the call; ``error`` is what to say if no other does."""

    def __init__(self, error: UpstreamError) -> None:
        super().__init__(str(error))
        self.error = error


async def on_hosts(
    endpoints: Endpoints,
    config: Config,
    credential: Credential,
    request_id: str,
    call: Callable[[Endpoint], Awaitable[T]],
) -> T:
    """What ``call`` returns for the first host that does not raise :class:`WrongEndpoint` (upstream-protocol §1.12)."""
    region = api_region_of(credential, config)
    first, *others = endpoints.candidates(region, trio.current_time(), credential.endpoint)
    try:
        return await call(first)
    except WrongEndpoint as exc:
        failure = exc
    for endpoint in others:
        logger.info("request %s: host %s does not take the call: %s", request_id, first.host, failure.error)
        try:
            answer = await call(endpoint)
        except WrongEndpoint as exc:
            failure = exc
        else:
            endpoints.remember(region, endpoint, trio.current_time())
            return answer
    raise failure.error from failure.__cause__


def _log_failure(request_id: str, attempts: Attempts, lease: Lease, error: KiroError) -> None:
    facts = ""
    if isinstance(error, UpstreamError):
        facts = f" (status {error.status}, reason {error.reason}, upstream id {error.request_id})"
    logger.info(
        "request %s: attempt %d with credential #%d failed: %s: %s%s",
        request_id, attempts.count, lease.credential.id, type(error).__name__, error, facts,
    )  # fmt: skip
