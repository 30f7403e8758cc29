"""The way to Kiro: proxy, certificates, hosts, and whether valid tokens are taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from kiro_rs_py.cli.checks.findings import Finding, finding_of
from kiro_rs_py.cli.claude_code import PROXIES
from kiro_rs_py.cli.session import for_each
from kiro_rs_py.cli.wording import name_of
from kiro_rs_py.config import Config
from kiro_rs_py.errors import AccountSuspended, ConfigError, QuotaExhausted, UpstreamError, UpstreamUnauthorized
from kiro_rs_py.upstream.credential import Credential, api_region_of
from kiro_rs_py.upstream.endpoints import Endpoints
from kiro_rs_py.upstream.http import HttpClients, build_tls_context
from kiro_rs_py.upstream.probes import Obstacle, Probe, hosts_of, probe_all
from kiro_rs_py.upstream.proxy import effective_proxy
from kiro_rs_py.upstream.usage import fetch_usage

TOPIC: Final = "network"
HOST_REGIONS: Final = frozenset({"us-east-1", "eu-central-1", "us-gov-east-1", "us-gov-west-1"})
"""Where Kiro is known to have hosts (field-notes §2b)."""

_FIXES: Final[Mapping[Obstacle, str]] = {
    "name": "Check the network and the name server; behind a company's proxy set proxy_url.",
    "connection": "Check the network and the firewall; behind a company's proxy set proxy_url.",
    "silence": "Check the network and the firewall; behind a company's proxy set proxy_url.",
    "certificate": "If a company's proxy looks into TLS, set ca_file to its certificate.",
    "proxy": "Check proxy_url, proxy_username and proxy_password.",
    "settings": "Correct the setting.",
}
_OFFLINE: Final = frozenset({"name", "connection", "silence"})


def check_way_out(config: Config, accounts: Sequence[Credential], environ: Mapping[str, str]) -> list[Finding]:
    """The settings of the way to Kiro; nothing is sent."""
    found: list[Finding] = []
    try:
        proxy = effective_proxy(config)
    except ConfigError as error:
        found += [finding_of("error", "proxy", problem, _FIXES["proxy"]) for problem in error.problems]
    else:
        set_for_others = next((name for name in PROXIES if environ.get(name)), None)
        if proxy is not None:
            found.append(Finding("ok", "proxy", f"Kiro is asked through a proxy at {proxy.host}:{proxy.port}."))
        elif set_for_others and not config.upstream_url:
            message = f"{set_for_others} is set, which this program does not read; it connects directly."
            found.append(Finding("note", "proxy", message, "If the proxy is needed, set proxy_url."))
    try:
        build_tls_context(config.tls_backend, config.ca_file)
    except ConfigError as error:
        found += [finding_of("error", "certificates", problem, _FIXES["settings"]) for problem in error.problems]
    if config.upstream_url is None:
        found += _regions(config, accounts)
    return found


def _regions(config: Config, accounts: Sequence[Credential]) -> list[Finding]:
    found: list[Finding] = []
    for region in sorted({api_region_of(account, config) for account in accounts} - HOST_REGIONS):
        message = f"Kiro is not known to have hosts in {region}."
        fix = 'Set api_region = "us-east-1" (or "eu-central-1"); sign-in may stay in another region.'
        found.append(Finding("warning", "region", message, fix))
    return found


async def check_network(
    config: Config, accounts: Sequence[Credential], now: datetime
) -> tuple[list[Finding], list[float]]:
    """Reach every host, then ask with every valid token what is left of its credits; and what clocks the hosts have.

    Nothing is refreshed. Takes a few seconds at most. The settings must be good (:func:`check_way_out`).
    """
    active = [account for account in accounts if not account.disabled]
    http = HttpClients(config)
    probes = await probe_all(http, hosts_of(config, active))
    skews = [probe.clock_skew for probe in probes if probe.clock_skew is not None]
    failed = [probe for probe in probes if probe.obstacle is not None]
    if _is_offline(config, probes):
        message = f"No host of Kiro can be reached ({probes[0].host}: {probes[0].reason.rstrip('.')})."
        return [Finding("warning", TOPIC, message, _FIXES["name"])], skews
    found = [_unreachable(probe) for probe in failed]
    if not failed:
        found.append(Finding("ok", TOPIC, f"{', '.join(probe.host for probe in probes)} can be reached."))
    found += await _ask_for_usage(http, config, [account for account in active if account.is_valid(now)])
    return found, skews


def _is_offline(config: Config, probes: Sequence[Probe]) -> bool:
    """Whether it is this machine that has no network, rather than a setting that is wrong."""
    return config.upstream_url is None and config.proxy_url is None and all(p.obstacle in _OFFLINE for p in probes)


def _unreachable(probe: Probe) -> Finding:
    assert probe.obstacle is not None
    return Finding("error", TOPIC, f"{probe.host} cannot be reached: {probe.reason}", _FIXES[probe.obstacle])


async def _ask_for_usage(http: HttpClients, config: Config, accounts: Sequence[Credential]) -> list[Finding]:
    endpoints = Endpoints(config)

    async def ask(account: Credential) -> Finding | None:
        try:
            await fetch_usage(http, config, endpoints, account)
        except (UpstreamUnauthorized, AccountSuspended, QuotaExhausted) as error:
            return _refused(account, error)
        except (UpstreamError, ConfigError):
            pass  # the service's own trouble says nothing about the account
        return None

    return [finding for finding in await for_each(accounts, ask) if finding is not None]


def _refused(account: Credential, error: UpstreamError) -> Finding:
    name = f"Account {name_of(account)}"
    match error:
        case UpstreamUnauthorized():
            fix = f"`kiro-rs-py refresh --id {account.id}`; if that is refused, `kiro-rs-py login`."
            if account.auth_method == "api_key":
                fix = "Create a new API key and import it: `kiro-rs-py import-token`."
            return Finding("error", "accounts", f"{name}: Kiro refuses its token.", fix)
        case QuotaExhausted():
            return finding_of("warning", "accounts", f"{name}: {error}", "Wait, or add another account.")
        case _:
            return finding_of("error", "accounts", f"{name}: {error}", "Write to Kiro's support.")
