"""The environment and Claude Code's settings: do they lead clients here, and with the right key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from kiro_rs_py.cli.checks.findings import Finding
from kiro_rs_py.cli.claude_code import (
    API_KEY,
    AUTH_TOKEN,
    BASE_URL,
    CLOUDS,
    KEY_HELPER,
    MODELS,
    ClaudeSettings,
    avoids_proxy,
)
from kiro_rs_py.config import Config
from kiro_rs_py.config.access_keys import digest_of
from kiro_rs_py.config.keys import mask_url
from kiro_rs_py.config.serving import is_loopback
from kiro_rs_py.convert.models import ModelCatalog
from kiro_rs_py.errors import CredentialFileError, NotFound
from kiro_rs_py.serve.client_keys import KeyRing
from kiro_rs_py.serve.key_file import KeyFile
from kiro_rs_py.serve.listener import ServerAddress

TOPIC = "clients"


@dataclass(frozen=True, slots=True)
class _Source:
    """Where variables stand: the environment (no path) or a settings file of Claude Code."""

    path: Path | None
    env: Mapping[str, str]

    def says(self, name: str) -> str:
        return f"{name} is set in the environment" if self.path is None else f"{self.path} sets {name}"

    def set_to(self, name: str, value: str) -> str:
        return f"`export {name}={value}`" if self.path is None else f'Set "{name}" to "{value}" there.'

    def unset(self, name: str) -> str:
        return f"`unset {name}`" if self.path is None else f'Remove "{name}" there.'


def check_clients(
    config: Config, environ: Mapping[str, str], settings: Sequence[ClaudeSettings], catalog: ModelCatalog
) -> list[Finding]:
    """What would become of a client started here. A settings file of Claude Code wins over the environment."""
    found: list[Finding] = []
    sources = [_Source(None, environ)]
    for file in settings:
        if file.problem is not None:
            found.append(Finding("warning", TOPIC, f"{file.path} {file.problem}.", "Correct it, or remove it."))
            continue
        sources.append(_Source(file.path, file.env))
    url = ServerAddress(config.host, config.port).url
    for source in sources:
        found += _base_url(source, config, url)
        found += _clouds(source)
        found += _models(source, catalog, config)
    helper = next((file.path for file in settings if file.has_key_helper), None)
    found += _keys(sources, config, helper)
    if not avoids_proxy(environ, "127.0.0.1"):
        message = "An outgoing proxy is set for all programs, and clients would look for this machine through it."
        found.append(Finding("warning", TOPIC, message, "`export NO_PROXY=127.0.0.1,localhost`"))
    if not any(source.env.get(BASE_URL) for source in sources) and not found:
        fix = f"`kiro-rs-py run -- claude`, or `export {BASE_URL}={url}` and {AUTH_TOKEN}."
        return [Finding("note", TOPIC, "Nothing leads clients here yet.", fix)]
    return found or [Finding("ok", TOPIC, "Clients started here come to this proxy, with its key.")]


def _base_url(source: _Source, config: Config, url: str) -> Iterator[Finding]:
    value = source.env.get(BASE_URL, "")
    if not value:
        return
    if not is_here(value, config):
        message = f"{source.says(BASE_URL)} to {_shown(value)}, which is not this proxy ({url})."
        yield Finding("error", TOPIC, message, source.set_to(BASE_URL, url))
    elif urlsplit(value).path.rstrip("/") not in ("", "/cc"):
        message = f"{source.says(BASE_URL)} with a path, and clients add /v1 themselves."
        yield Finding("error", TOPIC, message, source.set_to(BASE_URL, url))


def is_here(url: str, config: Config) -> bool:
    """Whether a base URL leads to the configured address, by whichever of its names."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return False
    ours = urlsplit(ServerAddress(config.host, config.port).url).hostname or ""
    return port == config.port and (host == ours or (is_loopback(host) and is_loopback(ours)))


def _shown(url: str) -> str:
    try:
        return mask_url(url)
    except ValueError:
        return "something that is no URL"


def _clouds(source: _Source) -> Iterator[Finding]:
    for name, cloud in CLOUDS.items():
        if source.env.get(name, "").lower() not in ("", "0", "false"):
            message = f"{source.says(name)}: Claude Code goes to {cloud} and ignores {BASE_URL}."
            yield Finding("error", TOPIC, message, source.unset(name))


def _models(source: _Source, catalog: ModelCatalog, config: Config) -> Iterator[Finding]:
    for name in MODELS:
        model = source.env.get(name, "")
        try:
            if model and model.lower() not in _ALIASES:
                catalog.resolve(model, thinking_suffix=config.thinking_suffix)
        except NotFound:
            message = f"{source.says(name)} to a model that this proxy does not know."
            yield Finding("warning", TOPIC, message, "`kiro-rs-py models` lists those it knows.")


def _opens(key: str, config: Config) -> bool:
    """Whether the proxy takes the key: the configured one, or one that was created."""
    digest = sha256(key.strip().encode("utf-8", "replace")).digest()
    if digest == digest_of(config.api_key):
        return True
    try:
        return KeyRing(KeyFile.beside(config.credentials_path).load()).admit(digest) is not None
    except CredentialFileError:
        return False  # which the server tells at its start


# Claude Code's own words for models, which never reach us.
_ALIASES = frozenset({"default", "sonnet", "opus", "haiku", "opusplan", "best", "sonnet[1m]", "opus[1m]"})


def _keys(sources: Sequence[_Source], config: Config, helper: Path | None) -> Iterator[Finding]:
    """One valid key among those presented is enough, but it must be there. ``helper``: the file that names a program
    to ask for it, which Claude Code does if there is no token."""
    env: dict[str, str] = {}
    where: dict[str, _Source] = {}
    for source in sources:
        for name in (BASE_URL, AUTH_TOKEN, API_KEY):
            if source.env.get(name):
                env[name], where[name] = source.env[name], source
    if BASE_URL not in env or not is_here(env[BASE_URL], config) or not config.api_key:
        return
    wrong = [name for name in (AUTH_TOKEN, API_KEY) if name in env and not _opens(env[name], config)]
    if AUTH_TOKEN not in env and API_KEY not in env and helper is not None:
        message = f"{helper} sets {KEY_HELPER}, whose answer clients send here as the key."
        yield Finding("note", TOPIC, message, f"Let it print this proxy's api_key, or set {AUTH_TOKEN}.")
    elif AUTH_TOKEN not in env and API_KEY not in env:
        message = f"{BASE_URL} leads here, but no key is set."
        yield Finding("error", TOPIC, message, where[BASE_URL].set_to(AUTH_TOKEN, "YOUR_API_KEY"))
    elif wrong and len(wrong) == len(env) - 1:
        message = f"{where[wrong[0]].says(wrong[0])}, but it is not this proxy's api_key."
        yield Finding("error", TOPIC, message, where[wrong[0]].set_to(wrong[0], "YOUR_API_KEY"))
    elif wrong:
        message = f"{where[wrong[0]].says(wrong[0])} to another key, which clients send here beside the right one."
        yield Finding("warning", TOPIC, message, where[wrong[0]].unset(wrong[0]))
