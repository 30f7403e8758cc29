"""What Claude Code and Anthropic's SDKs read to find their server (clients §1.1), and what leads them elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

BASE_URL: Final = "ANTHROPIC_BASE_URL"
AUTH_TOKEN: Final = "ANTHROPIC_AUTH_TOKEN"  # noqa: S105 (a name)
API_KEY: Final = "ANTHROPIC_API_KEY"
KEY_HELPER: Final = "apiKeyHelper"

CLOUDS: Final[Mapping[str, str]] = {
    "CLAUDE_CODE_USE_BEDROCK": "Amazon Bedrock",
    "CLAUDE_CODE_USE_VERTEX": "Google Vertex AI",
    "CLAUDE_CODE_USE_FOUNDRY": "Microsoft Foundry",
}
"""Switches that make Claude Code ignore its base URL."""

MODELS: Final = (
    "ANTHROPIC_MODEL",
    "ANTHROPIC_SMALL_FAST_MODEL",
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL",
)
PROXIES: Final = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
_NO_PROXY: Final = ("NO_PROXY", "no_proxy")

# What must not reach a client that is to come to us.
_REMOVED: Final = (API_KEY, "CLAUDE_CODE_OAUTH_TOKEN", *CLOUDS)


def child_environment(environ: Mapping[str, str], url: str, key: str) -> dict[str, str]:
    """``environ`` for a client of the proxy at ``url``: the two settings in, what contradicts them out.

    Where an outgoing proxy is set, this machine is added to its exceptions: a proxy elsewhere could not reach us.
    """
    child = {name: value for name, value in environ.items() if name not in _REMOVED}
    child |= {BASE_URL: url, AUTH_TOKEN: key}
    if any(environ.get(name) for name in PROXIES):
        host = urlsplit(url).hostname or ""
        for name in _NO_PROXY:
            present = [entry for entry in environ.get(name, "").split(",") if entry.strip()]
            child[name] = ",".join(dict.fromkeys([*present, "localhost", "127.0.0.1", host]))
    return child


def avoids_proxy(environ: Mapping[str, str], host: str) -> bool:
    """Whether a client with these variables would reach ``host`` without an outgoing proxy."""
    if not any(environ.get(name) for name in PROXIES):
        return True
    entries = {entry.strip() for name in _NO_PROXY for entry in environ.get(name, "").split(",")}
    return bool(entries & {"*", host})


@dataclass(frozen=True, slots=True)
class ClaudeSettings:
    """One of Claude Code's settings files. Its ``env`` wins over the environment."""

    path: Path
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    has_key_helper: bool = False
    problem: str | None = None
    """Why it cannot be read."""


def find_settings(environ: Mapping[str, str], home: Path, working: Path) -> list[ClaudeSettings]:
    """The settings files there are, the weakest first: the user's, the project's, the administrator's."""
    user = Path(environ["CLAUDE_CONFIG_DIR"]) if environ.get("CLAUDE_CONFIG_DIR") else home / ".claude"
    project = working / ".claude"
    files = [user / "settings.json", project / "settings.json", project / "settings.local.json", managed_settings()]
    return [settings for path in dict.fromkeys(files) if (settings := _read(path)) is not None]


def managed_settings(platform: str = sys.platform) -> Path:
    """Where an administrator rules over Claude Code."""
    match platform:
        case "darwin":
            return Path("/Library/Application Support/ClaudeCode/managed-settings.json")
        case "win32":
            return Path("C:/Program Files/ClaudeCode/managed-settings.json")
        case _:
            return Path("/etc/claude-code/managed-settings.json")


def _read(path: Path) -> ClaudeSettings | None:
    try:
        document: object = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return ClaudeSettings(path, problem=f"cannot be read: {error.strerror}")
    except (ValueError, RecursionError):
        return ClaudeSettings(path, problem="is not valid JSON")
    if not isinstance(document, dict):
        return ClaudeSettings(path, problem="is no JSON object")
    env = document.get("env")
    texts = {str(name): str(value) for name, value in env.items()} if isinstance(env, dict) else {}
    return ClaudeSettings(path, texts, has_key_helper=bool(document.get(KEY_HELPER)))


def overruling(settings: ClaudeSettings) -> list[str]:
    """The names in a settings file that lead Claude Code away from what its environment says (seen with 2.1.330).

    A key more does no harm, be it from a helper or a variable: one valid one is enough.
    """
    return [name for name in (BASE_URL, AUTH_TOKEN, *CLOUDS) if settings.env.get(name)]
