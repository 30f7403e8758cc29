"""Is a configuration good enough to serve with? Keys are the only lock on the owner's subscription."""

from __future__ import annotations

import ipaddress
import re

from kiro_rs_py.config.settings import Config

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
    """Why a key is no lock, as the end of "… is"; None for a good one."""
    if _EXAMPLE_KEY.search(key):
        return "a well-known example key"
    if len(key) < SHORTEST_KEY:
        return f"shorter than {SHORTEST_KEY} characters"
    return None


def serving_problems(config: Config) -> tuple[list[str], list[str]]:
    """What forbids serving, and what is merely unwise (PRODUCT §2): a weak key is refused where others can connect."""
    problems: list[str] = []
    warnings: list[str] = []
    reachable = not is_loopback(config.host)
    if not config.api_key:
        problems.append(f"api_key is missing: without it anybody could use your account. {_REMEDY}")
    for name in ("api_key", "admin_api_key", "metrics_key"):
        key: str = getattr(config, name)
        weakness = weakness_of(key) if key else None
        if weakness and reachable:
            problems.append(f"{name} is {weakness}, and {config.host} can be reached by others. {_REMEDY}")
        elif weakness:
            warnings.append(f"{name} is {weakness}. {_REMEDY}")
    if config.admin_api_key and config.admin_api_key == config.api_key:
        warnings.append("admin_api_key is the same as api_key, so every client is an administrator.")
    if config.admin_api_key and reachable:
        warnings.append(f"The admin page is reachable on {config.host} without TLS. Put a TLS proxy in front of it.")
    return problems, warnings
