"""The file that ``config init`` writes: every key, explained, with fresh random keys and nothing else switched on."""

from __future__ import annotations

import secrets
from textwrap import dedent

import tomli_w

from kiro_rs_py.config.keys import GROUPS, Key, default_of

_HEAD = """\
# Configuration of kiro-rs-py. Lines that begin with "# " are explanations, lines that begin with "#" and a key show
# its default, or an example where there is none: remove the # to change it. A flag or an environment variable
# (KIRO_RS_PORT for port) wins over this file. `kiro-rs-py config check` finds every mistake at once.
"""

# Keys without a default to show. The values are examples and stay commented out.
_EXAMPLES: dict[str, object] = {
    "admin_listen": "127.0.0.1:8991",
    "metrics_key": "a-long-random-text",
    "credentials_path": "credentials.json",
    "machine_id": "2582956e-cc88-4669-b546-07adbffcb894",
    "auth_region": "us-east-1",
    "api_region": "us-east-1",
    "upstream_url": "http://127.0.0.1:9000",
    "tls_backend": "native-tls",
    "ca_file": "company-ca.pem",
    "proxy_url": "socks5h://127.0.0.1:1080",
    "proxy_username": "name",
    "proxy_password": "password",
    "dump_dir": "dumps",
    "thinking_format": "blocks",
    "count_tokens_api_url": "https://tokens.example.com/v1/messages/count_tokens",
    "count_tokens_api_key": "key-of-that-service",
}

_MODELS = dedent(
    """\
    # Other names for models, windows in tokens, and more ids that Kiro knows. A table, so it stands at the end.
    #[models]
    #aliases = { fast = "claude-haiku-4-5" }
    #windows = { "claude-sonnet-4.5" = 1000000 }
    #extra = ["a-new-model"]
    """
)


def fresh_key() -> str:
    """A new random client key: 256 bits, safe in headers, shells and URLs."""
    return f"sk-{secrets.token_urlsafe(32)}"


def render_template(*, api_key: str, admin_api_key: str) -> str:
    """The text of a new ``config.toml``; the two keys are its only live settings, all else stays at its default."""
    live = {"api_key": api_key, "admin_api_key": admin_api_key}
    parts = [_HEAD]
    for title, group in GROUPS.items():
        parts.append(f"\n# --- {title} ---\n")
        parts.extend(_entry(key, live) for key in group if key.name != "models")
    parts.append("\n" + _MODELS)
    return "".join(parts)


def _entry(key: Key, live: dict[str, str]) -> str:
    if key.name in live:
        return f"\n# {key.note}\n{tomli_w.dumps({key.name: live[key.name]})}"
    default = _EXAMPLES.get(key.name, default_of(key.name))
    value = list(default) if isinstance(default, tuple) else default
    return f"\n# {key.note}\n#{tomli_w.dumps({key.name: value})}"
