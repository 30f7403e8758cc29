"""Every key of the configuration as data: its kind, its group, and what it is for (operations §2.2, PRODUCT §2).

The reader, ``config show`` and the file that ``config init`` writes are all made from this one table, so a new setting
is one field in :class:`~kiro_rs_py.config.Config` and one line here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from kiro_rs_py.config import values
from kiro_rs_py.config.settings import Config
from kiro_rs_py.config.values import Kind

DAY = 86_400.0

MASK = "********"


@dataclass(frozen=True, slots=True)
class Key:
    """One setting.

    ``name`` is its snake_case name (the field of Config), ``note`` one line for the commented file. A ``secret`` is
    masked wherever settings are shown and may be given as a file's content. ``url_with_password``: the value can hold
    a password without being one as a whole.
    """

    name: str
    kind: Kind
    note: str
    secret: bool = False
    url_with_password: bool = False

    @property
    def camel(self) -> str:
        """The name as kiro-rs spells it."""
        return re.sub(r"_([a-z])", lambda match: match[1].upper(), self.name)

    @property
    def env(self) -> str:
        """The environment variable that sets it."""
        return f"KIRO_RS_{self.name.upper()}"


GROUPS: dict[str, tuple[Key, ...]] = {
    "Listening": (
        Key("host", values.host, "Address to listen on. Anything but a loopback address needs strong keys."),
        Key("port", values.whole_number(0, 65_535), "Port to listen on; 0 takes any free one."),
        Key(
            "api_key",
            values.access_key,
            "The key that clients must send, or sha256: and its hash. Required.",
            secret=True,
        ),
        Key("admin_api_key", values.access_key, "Key of the admin page and API; without it they are off.", secret=True),
        Key(
            "admin_listen",
            values.listen,
            "Address of the admin page and API alone (127.0.0.1:8991, unix:admin.sock); unset means with the rest.",
        ),
        Key("admin_hosts", values.strings, "Host names the admin page has behind a reverse proxy."),
        Key(
            "metrics_key",
            values.access_key,
            "Key of /metrics; without it only programs on this machine may read them.",
            secret=True,
        ),
        Key("cors_origins", values.origins, 'Web origins that may call the API from a browser; "*" means all.'),
        Key("max_inbound_body_bytes", values.whole_number(1), "Largest request body accepted from a client."),
        Key(
            "max_inbound_bytes_in_flight",
            values.whole_number(1),
            "Request bodies held in memory at once, together; at least one of the largest size fits.",
        ),
        Key("max_concurrent_requests", values.whole_number(0), "Requests running at once; 0 means no limit."),
        Key("ping_interval_seconds", values.seconds(300.0), "Silence after which a stream gets a ping."),
        Key("shutdown_grace_seconds", values.seconds(3600.0), "Time that running answers get after SIGTERM or Ctrl-C."),
        Key("log_format", values.one_of("text", "json"), "text or json (one object a line)."),
    ),
    "Accounts": (
        Key("credentials_path", values.path, "The credentials file, relative to this file."),
        Key(
            "load_balancing_mode",
            values.one_of("priority", "balanced"),
            "priority prefers the account with the lowest number, balanced shares the load.",
        ),
        Key("machine_id", values.text, "Device id (64 or 32 hex digits) for accounts without one."),
    ),
    "Upstream": (
        Key("region", values.region, "AWS region; auth_region and api_region override it for their part."),
        Key("auth_region", values.region, "Region of the token refresh."),
        Key("api_region", values.region, "Region of the chat, web search and usage calls."),
        Key("endpoint", values.one_of("auto", "q", "runtime"), "Which of Kiro's two hosts to ask; auto falls back."),
        Key("upstream_url", values.base_url, "One base URL in place of every upstream host (gateway, simulator)."),
        Key("kiro_version", values.visible_text, "Kiro IDE version told to the upstream."),
        Key("system_version", values.visible_text, "Operating system told to the upstream; by default one of two."),
        Key("node_version", values.visible_text, "Node.js version told to the upstream."),
        Key("connect_timeout_seconds", values.seconds(DAY), "Limit for making a connection."),
        Key("first_event_timeout_seconds", values.seconds(DAY), "Limit from the request to the answer's first event."),
        Key("idle_timeout_seconds", values.seconds(DAY), "Longest silence inside an answer."),
        Key(
            "tls_backend",
            values.one_of("rustls", "native-tls"),
            "rustls trusts the bundled roots, native-tls the system's; unset trusts both.",
        ),
        Key("ca_file", values.readable_file, "More trusted certificates (PEM), for a company's proxy."),
        Key("proxy_url", values.proxy_url, "Outgoing proxy: http, https, socks5 or socks5h.", url_with_password=True),
        Key("proxy_username", values.text, "Used together with proxy_password only."),
        Key("proxy_password", values.text, "Used together with proxy_username only.", secret=True),
        Key("no_proxy", values.strings, "Hosts to reach without the proxy."),
        Key(
            "dump_dir", values.path, "Folder for redacted answers of Kiro, for bug reports; unset means none are kept."
        ),
    ),
    "Conversion": (
        Key("thinking_suffix", values.suffix, 'Model-name suffix that turns thinking on; "" turns the suffix off.'),
        Key(
            "thinking_format",
            values.one_of("blocks", "thinking", "think", "reasoning_content"),
            "How thinking is shown that only the suffix asked for; unset means blocks.",
        ),
        Key("max_request_body_bytes", values.whole_number(0), "Limit of the request sent upstream; 0 means no limit."),
        Key("tool_compression_bytes", values.whole_number(0), "Shorten tool schemas above this size; 0 means never."),
        Key("models", values.table, "Aliases, windows and extra model ids."),
        Key(
            "count_tokens_api_url", values.http_url, "Ask this service for token counts first.", url_with_password=True
        ),
        Key("count_tokens_api_key", values.visible_text, "Its key.", secret=True),
        Key("count_tokens_auth_type", values.one_of("x-api-key", "bearer"), "How its key is sent."),
    ),
}

KEYS: dict[str, Key] = {key.name: key for group in GROUPS.values() for key in group}

# Keys of newer kiro-rs versions without a meaning here (operations §2.2): noted, not refused, so that the file works.
IGNORED = ("extractThinking", "defaultEndpoint", "endpoints")


def default_of(name: str) -> object:
    """The default of one setting, as :class:`Config` declares it."""
    return getattr(Config(), name)


def spellings() -> dict[str, tuple[Key, bool]]:
    """Every accepted spelling → its key, and whether the value is the path of a file that holds the secret."""
    accepted: dict[str, tuple[Key, bool]] = {}
    for key in KEYS.values():
        accepted[key.name] = accepted[key.camel] = (key, False)
        if key.secret:
            accepted[f"{key.name}_file"] = accepted[f"{key.camel}File"] = (key, True)
    return accepted


def masked(key: Key, value: object) -> object:
    """The value of a setting as JSON that reveals no secret; not even a secret's length or beginning."""
    if key.secret:
        return MASK if value else None
    if key.url_with_password and isinstance(value, str):
        return mask_url(value)
    match value:
        case Path():
            return str(value)
        case tuple():
            return list(value)
        case Mapping():
            return dict(value)
        case _:
            return value


def mask_url(url: str) -> str:
    """The URL with its user and password masked, and its query too, where services put keys."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    if parts.username is not None:
        place = f"{MASK}@{place}"
    return urlunsplit(parts._replace(netloc=place, query=MASK if parts.query else "", fragment=""))
