"""Is a configuration good enough to serve with? Keys are the only lock on the owner's subscription."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from pathlib import Path

from kiro_rs_py.config.access_keys import is_hashed, same_key
from kiro_rs_py.config.settings import Config
from kiro_rs_py.config.values import split_listen

SHORTEST_KEY = 16

_REMEDY = "`kiro-rs-py config init` writes a file with fresh random keys."

# Keys printed in READMEs, compose files and example configurations of such proxies: everybody knows them.
_EXAMPLE_KEY = re.compile(
    r"your[-_ ]|change[-_ ]?me|example|placeholder|x{4}|\.{3}|test-proxy-key|my-super-secret|secret-key|qazwsx|1234567",
    re.IGNORECASE,
)


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach the address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def weakness_of(key: str) -> str | None:
    """Why a key is no lock, as the end of "… is"; None for a good one, and for one of which only the hash is known:
    `config hash-key` has looked at it."""
    if is_hashed(key):
        return None
    if _EXAMPLE_KEY.search(key):
        return "like the well-known keys of examples"
    if len(key) < SHORTEST_KEY:
        return f"shorter than {SHORTEST_KEY} characters"
    return None


def admin_host(config: Config) -> str:
    """The host of the administration's address. A socket file counts as loopback: browsers come to it by a tunnel or a
    reverse proxy of this machine."""
    if config.admin_listen is None:
        return config.host
    place = split_listen(config.admin_listen)
    return "localhost" if isinstance(place, Path) else place[0]


def serving_problems(config: Config, wrong: Collection[str] = ()) -> tuple[list[str], list[str]]:
    """What forbids serving, and what is merely unwise (PRODUCT §2): a weak key is refused where others can connect.

    ``wrong``: settings that are not missing but could not be used, of which has been told already.
    """
    problems: list[str] = []
    warnings: list[str] = []
    if not config.api_key and "api_key" not in wrong:
        problems.append(f"api_key is missing: without it anybody could use your account. {_REMEDY}")
    for name in ("api_key", "admin_api_key", "metrics_key"):
        key: str = getattr(config, name)
        host = admin_host(config) if name == "admin_api_key" else config.host
        weakness = weakness_of(key) if key else None
        if weakness and not is_loopback(host):
            problems.append(f"{name} is {weakness}, and {host} can be reached by others. {_REMEDY}")
        elif weakness:
            warnings.append(f"{name} is {weakness}. {_REMEDY}")
    if same_key(config.admin_api_key, config.api_key):
        warnings.append("admin_api_key is the same as api_key, so every client is an administrator.")
    if config.admin_api_key and not is_loopback(host := admin_host(config)):
        warnings.append(f"The admin page is reachable on {host} without TLS. Put a TLS proxy in front of it.")
    return problems, warnings
