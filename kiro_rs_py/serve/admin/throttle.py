"""Who guesses keys has to wait longer and longer (operations §5.8, §10.1 S9)."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

FREE_ATTEMPTS = 5
"""Wrong keys without any wait; people mistype."""

FORGET_SECONDS = 60.0
"""A few wrong keys are forgotten after this long."""

FIRST_LOCK_SECONDS = 15.0
LONGEST_LOCK_SECONDS = 900.0
MOST_PEERS = 2000


@dataclass(slots=True)
class _Record:
    failures: int
    at: float
    locked_until: float


class Throttle:
    """Counts wrong keys per peer. ``clock`` is in seconds and never goes back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def wait_of(self, peer: str) -> float:
        """Seconds this peer has to wait before its next key is looked at; 0 if it need not."""
        record = self._record(_network(peer))
        return max(0.0, record.locked_until - self._clock()) if record else 0.0

    def failed(self, peer: str) -> None:
        """A wrong key; from the fifth on a wait follows."""
        network, now = _network(peer), self._clock()
        record = self._record(network) or _Record(0, now, 0.0)
        record.failures += 1
        record.at = now
        wait = 0.0
        if record.failures >= FREE_ATTEMPTS:
            wait = min(LONGEST_LOCK_SECONDS, FIRST_LOCK_SECONDS * 2.0 ** min(record.failures - FREE_ATTEMPTS, 10))
        record.locked_until = now + wait
        self._records[network] = record
        self._records.move_to_end(network)
        while len(self._records) > MOST_PEERS:
            self._records.popitem(last=False)

    def succeeded(self, peer: str) -> None:
        """A right key: its owner has only mistyped before."""
        self._records.pop(_network(peer), None)

    def _record(self, network: str) -> _Record | None:
        record = self._records.get(network)
        if record is None:
            return None
        memory = FORGET_SECONDS if record.failures < FREE_ATTEMPTS else LONGEST_LOCK_SECONDS
        if self._clock() - record.at > memory:
            del self._records[network]
            return None
        return record


def _network(peer: str) -> str:
    """What one guesser has: an IPv4 address, or the 64 bits of IPv6 that everybody gets."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return peer
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return peer
