"""``GET /metrics`` for Prometheus: the counters, the pool, the process. No e-mail, no label, no token in it."""

from __future__ import annotations

import hmac
import logging
import os
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, get_args
from urllib.parse import urlsplit

from kiro_rs_py import __version__
from kiro_rs_py.config import Config
from kiro_rs_py.config.access_keys import digest_of
from kiro_rs_py.config.serving import is_loopback
from kiro_rs_py.errors import BadKey, Forbidden
from kiro_rs_py.serve.app import Call, Route, presented_keys
from kiro_rs_py.serve.counters import Counters
from kiro_rs_py.serve.exposition import CONTENT_TYPE, Exposition

if TYPE_CHECKING:
    # It brings much with it that the listening socket need not wait for.
    from kiro_rs_py.upstream.pool import CredentialPool

# With one of these a request came through a reverse proxy, whatever the socket says.
_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-real-ip")


class Metrics:
    """The counters and their page. ``in_flight`` tells how many requests are running, ``now`` is the wall clock."""

    def __init__(
        self,
        config: Config,
        pool: CredentialPool,
        in_flight: Callable[[], int],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._pool = pool
        self._in_flight = in_flight
        self._started = now()
        self._counters = Counters()
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over the key, which may change while the proxy runs."""
        self._digest = digest_of(config.metrics_key) if config.metrics_key else None

    def routes(self) -> list[Route]:
        return [Route("/metrics", {"GET": self.answer}, keyed=False, log_level=logging.DEBUG)]

    def note_request(self, call: Call) -> None:
        """A request has ended, whichever."""
        self._counters.note(call.record)

    async def answer(self, call: Call) -> None:
        """The page. Raises BadKey, and Forbidden without a key from elsewhere than this machine."""
        self._admit(call)
        await call.reply.whole(200, self.page(), CONTENT_TYPE, [(b"cache-control", b"no-store")])

    def page(self) -> bytes:
        out = Exposition()
        self._counters.write(out)
        out.family("kiro_requests_in_flight", "gauge", "Message requests under way.", self._in_flight())
        _write_pool(out, self._pool)
        self._write_process(out)
        return out.page()

    def _admit(self, call: Call) -> None:
        if self._digest is not None:
            valid = False
            for key in presented_keys(call.headers):
                valid |= hmac.compare_digest(sha256(key).digest(), self._digest)
            if not valid:
                raise BadKey("Invalid key. Send metricsKey as Authorization: Bearer or as x-api-key.")
            return
        forwarded = any(call.header(name) is not None for name in _FORWARDED)
        if forwarded or not is_loopback(call.client) or not _is_local_name(call.header(b"host")):
            raise Forbidden("Without metricsKey only programs on the same machine may read the metrics.")

    def _write_process(self, out: Exposition) -> None:
        out.family("kiro_build_info", "gauge", "Which program this is; always 1.")
        out.sample(1, version=__version__, python=sys.version.split()[0])
        out.family("process_start_time_seconds", "gauge", "When it started, Unix time.", self._started)
        out.family("process_cpu_seconds_total", "counter", "CPU time used.", time.process_time())
        try:
            resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            descriptors = len(os.listdir("/proc/self/fd"))
        except (OSError, ValueError):
            return  # no Linux
        out.family("process_resident_memory_bytes", "gauge", "Memory in use.", resident)
        out.family("process_open_fds", "gauge", "Open files and sockets.", descriptors)


def _is_local_name(host: str | None) -> bool:
    """Whether a request was addressed to this machine by name: a page of a rebound domain was not."""
    try:
        name = urlsplit(f"//{host or ''}").hostname
    except ValueError:
        return False
    return name is not None and is_loopback(name)


def _write_pool(out: Exposition, pool: CredentialPool) -> None:
    """The accounts by number only."""
    from kiro_rs_py.upstream.selection import StateName

    statuses = pool.snapshot()
    out.family("kiro_upstream_attempts_total", "counter", "Attempts with an account, by how they ended.")
    for outcome, count in pool.outcomes.items():
        out.sample(count, outcome=outcome)
    out.family("kiro_refreshes_total", "counter", "Token refreshes, by how they ended.")
    for outcome, count in pool.refreshes.items():
        out.sample(count, outcome=outcome)
    out.family("kiro_accounts", "gauge", "Accounts by state.")
    for state in get_args(StateName):
        out.sample(sum(status.state == state for status in statuses), state=state)
    out.family("kiro_account_usable", "gauge", "Whether an account can be asked now.")
    for status in statuses:
        out.sample(status.state == "active", account=str(status.id), state=status.state)
    out.family("kiro_account_in_flight", "gauge", "Attempts under way with an account.")
    for status in statuses:
        out.sample(status.in_flight, account=str(status.id))
    out.family("kiro_account_uses_total", "counter", "Attempts with an account in its lifetime.")
    for status in statuses:
        out.sample(status.success_count, account=str(status.id), result="success")
        out.sample(status.failure_count, account=str(status.id), result="failure")
    out.family("kiro_account_token_expiry_seconds", "gauge", "When an account's access token expires, Unix time.")
    for status in statuses:
        if status.expires_at is not None:
            out.sample(status.expires_at.timestamp(), account=str(status.id))
    out.family("kiro_tokens_unsaved", "gauge", "Whether new tokens are in memory only because the file takes none.")
    out.sample(pool.unsaved_because is not None)
    out.family("kiro_credential_entries_left_out", "gauge", "Entries of the credentials file that cannot be used.")
    out.sample(len(pool.problems))
    if pool.clock_skew is not None:
        out.family("kiro_clock_skew_seconds", "gauge", "How far this clock is ahead of the token service's.")
        out.sample(pool.clock_skew)
