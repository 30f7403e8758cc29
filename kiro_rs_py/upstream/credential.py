"""One account: its secrets, its facts, and the rules that follow from them. Pure.

The file's field names and their meaning are those of kiro-rs (operations §3.3, §11.1; upstream-protocol §5.6); both
camelCase and snake_case are read. Nothing here prints a secret: they are left out of ``repr`` and of every sentence.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias, cast

from kiro_rs_py.config import Config
from kiro_rs_py.config.values import REGION
from kiro_rs_py.convert.anthropic import Json, JsonObject, json_object
from kiro_rs_py.errors import ConfigError
from kiro_rs_py.upstream.proxy import DIRECT, parse_proxy

AuthMethod: TypeAlias = Literal["social", "idc", "api_key"]

REFRESH_MARGIN = timedelta(minutes=10)  # upstream-protocol §4.1
ASSUMED_LIFETIME = 3600  # seconds; what Kiro's own IDE assumes when the answer names none (upstream-protocol §4.4)
LONGEST_LIFETIME = 10 * 365 * 86400  # seconds; a bound for the arithmetic of dates, not a belief
SHORTEST_REFRESH_TOKEN = 100  # characters; shorter ones are copies that a user interface cut (operations §3.11)

# Spellings in the wild: kiro-rs, its forks, Kiro Account Manager and the IDE (operations §3.4, §11.3).
# Compared in lower case and without dashes, underscores and blanks.
_AUTH_METHODS: Mapping[str, AuthMethod] = {
    "social": "social",
    "google": "social",
    "github": "social",
    "idc": "idc",
    "builderid": "idc",
    "iam": "idc",
    "enterprise": "idc",
    "apikey": "api_key",
}
_ARN_REGION = re.compile(rf"arn:aws[a-z-]*:[a-z]+:({REGION.pattern}):")


class BadField(ValueError):
    """A field of a credentials entry cannot be used; ``name`` as the file spells it, ``problem`` without its value."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name} {problem}")
        self.name = name
        self.problem = problem


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """What the token service answered. ``expires_in`` in seconds.

    ``access_token`` is empty when the answer had none: it is stored all the same, because its refresh token may be
    the only live one. ``clock_skew`` is this computer's clock minus the service's, in seconds, if it told the time.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: float | None = None
    profile_arn: str | None = None
    clock_skew: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One entry of the credentials file; ``id`` is 0 while it has none, negative for one that lives in memory only."""

    id: int = 0
    auth_method: AuthMethod = "social"
    access_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    profile_arn: str | None = field(default=None, repr=False)
    client_id: str | None = field(default=None, repr=False)
    client_secret: str | None = field(default=None, repr=False)
    client_secret_expires_at: datetime | None = None
    kiro_api_key: str | None = field(default=None, repr=False)
    priority: int = 0
    region: str | None = None
    auth_region: str | None = None
    api_region: str | None = None
    machine_id: str | None = field(default=None, repr=False)
    endpoint: str | None = None
    proxy_url: str | None = field(default=None, repr=False)
    proxy_username: str | None = field(default=None, repr=False)
    proxy_password: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    label: str | None = field(default=None, repr=False)
    provider: str | None = None
    start_url: str | None = None
    subscription_title: str | None = None
    disabled: bool = False
    disabled_reason: str | None = None
    disabled_at: datetime | None = None
    created_at: datetime | None = None
    user_id: str | None = field(default=None, repr=False)
    source_fingerprint: str | None = field(default=None, repr=False)
    """:attr:`fingerprint` of the tokens that were imported, to know them again when they are spent."""

    @property
    def in_memory_only(self) -> bool:
        """True for an account that did not come from the file (``KIRO_API_KEY``) and must never be written to it."""
        return self.id < 0

    @property
    def bearer(self) -> str:
        """The text after ``Authorization: Bearer``; empty when there is none yet."""
        return self.kiro_api_key or self.access_token or ""

    @property
    def fingerprint(self) -> str | None:
        """SHA-256 (hex) of what identifies the login: the refresh token or the API key. None without either."""
        secret = self.kiro_api_key if self.auth_method == "api_key" else self.refresh_token
        return fingerprint(secret) if secret else None

    def is_valid(self, now: datetime) -> bool:
        """Whether the bearer can be used now. A token of unknown age counts as expired (upstream-protocol §4.1)."""
        if self.auth_method == "api_key":
            return bool(self.kiro_api_key)
        return bool(self.access_token) and self.expires_at is not None and now < self.expires_at

    def needs_refresh(self, now: datetime, margin: timedelta = REFRESH_MARGIN) -> bool:
        """Whether ``margin`` or less remains of the access token. API keys never expire."""
        return self.auth_method != "api_key" and not self.is_valid(now + margin)

    def problem(self) -> str | None:
        """Why this entry can never get a (new) token, as one sentence; None when nothing speaks against it."""
        if self.auth_method == "api_key":
            return None if self.kiro_api_key else "kiroApiKey is missing."
        token_problem = refresh_token_problem(self.refresh_token)
        if token_problem is None and self.auth_method == "idc" and not (self.client_id and self.client_secret):
            return "clientId and clientSecret are both needed to refresh an idc login."
        return token_problem

    def effective_machine_id(self, config_machine_id: str | None = None) -> str:
        """64 hex digits, always: this entry's own, else the configuration's, else derived (upstream-protocol §9.1)."""
        return normalise_machine_id(self.machine_id) or normalise_machine_id(config_machine_id) or self._derived_id()

    def _derived_id(self) -> str:
        if self.auth_method == "api_key" and self.kiro_api_key:
            return fingerprint(f"KiroAPIKey/{self.kiro_api_key}")
        if self.refresh_token:
            return fingerprint(f"KotlinNativeAPI/{self.refresh_token}")
        # Rare (an access token alone). Others draw a random one per process; this one is stable across restarts.
        return fingerprint(f"KiroFallback/{self.profile_arn or self.client_id or self.id}")


# --- reading and writing the file's members ---------------------------------------------------------------------

_INTEGERS = frozenset({"id", "priority"})
_TIMES = frozenset({"expires_at", "client_secret_expires_at", "disabled_at", "created_at"})
_REGIONS = frozenset({"region", "auth_region", "api_region"})
_EPOCH_SECONDS = frozenset({"client_secret_expires_at"})  # written as the OIDC service states it


def camel(name: str) -> str:
    """``auth_method`` → ``authMethod``."""
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


MEMBERS: Mapping[str, str] = {item.name: camel(item.name) for item in fields(Credential)}
"""Attribute (which is also the snake_case spelling) → member name in the file."""


def parse_credential(entry: Json) -> Credential:
    """One object of the credentials file → Credential.

    Unknown members are ignored, ``null`` and empty text mean absent, an unreadable ``expiresAt`` means expired.
    Raises BadField naming the first member that cannot be used.
    """
    if not isinstance(entry, dict):
        raise BadField("", "is not an object")
    values: dict[str, object] = {}
    for name, member in MEMBERS.items():
        spelling = member if member in entry else name
        raw = entry.get(spelling)
        if raw is None or raw == "":
            continue
        values[name] = _parse_member(name, spelling, raw)
    if not values:
        raise BadField("", "has none of the known fields")
    written = values.pop("auth_method", None)
    credential = Credential(**values)  # type: ignore[arg-type]
    return replace(credential, auth_method=_auth_method(written, credential))


def _parse_member(name: str, spelling: str, raw: Json) -> object:
    if name in _TIMES:
        return parse_time(raw)
    if name == "disabled":
        if not isinstance(raw, bool):
            raise BadField(spelling, "must be true or false")
        return raw
    if name in _INTEGERS:
        if not isinstance(raw, int) or isinstance(raw, bool) or raw < 0:
            raise BadField(spelling, "must be a whole number, 0 or more")
        return raw
    if not isinstance(raw, str):
        raise BadField(spelling, "must be text")
    # A region becomes part of a host name; anything else in its place could send the tokens elsewhere.
    if name in _REGIONS and not REGION.fullmatch(raw):
        raise BadField(spelling, "is no AWS region (us-east-1, eu-central-1, …)")
    if name == "proxy_url" and raw.strip().lower() != DIRECT:
        try:
            parse_proxy(raw)
        except ConfigError as error:
            raise BadField(spelling, str(error).removeprefix("proxyUrl ").rstrip(".")) from None
    return raw


def _auth_method(written: object, credential: Credential) -> AuthMethod:
    """Aliases → the three methods; absent → from the fields present (operations §3.3, §11.1)."""
    if credential.kiro_api_key:
        return "api_key"
    if written is None:
        return "idc" if credential.client_id and credential.client_secret else "social"
    method = _AUTH_METHODS.get(re.sub(r"[-_ ]", "", str(written)).lower())
    if method is None:
        # kiro-rs would treat it as social and show the refresh token to a service it was not issued by.
        raise BadField("authMethod", "is unknown; use social, idc or api_key")
    return method


def changed_members(old: Credential, new: Credential) -> dict[str, Json]:
    """The members of the file that differ, by file name; None for those that are to go (defaults are not written)."""
    changes: dict[str, Json] = {}
    for name, member in MEMBERS.items():
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            changes[member] = _to_json(name, after)
    return changes


def entry_of(credential: Credential) -> JsonObject:
    """A complete new entry for the file, in the order of the fields, without defaults."""
    entry: JsonObject = {}
    for name, member in MEMBERS.items():
        value = _to_json(name, getattr(credential, name))
        if value is not None:
            entry[member] = value
    return entry


def _to_json(name: str, value: object) -> Json:
    if isinstance(value, datetime):
        return int(value.timestamp()) if name in _EPOCH_SECONDS else format_time(value)
    if value is None or value is False or (name in _INTEGERS and value == 0):
        return None
    return cast("Json", value)


# --- times ------------------------------------------------------------------------------------------------------


def parse_time(value: Json) -> datetime | None:
    """RFC 3339 (any precision), or epoch seconds or milliseconds as number or digits; None when it is neither."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except OverflowError:  # the zero time of other languages, east of Greenwich: there is no year before the first
            return None
        except ValueError:
            try:
                value = float(value)
            except ValueError:
                return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        # 1e11 seconds is the year 5138, 1e11 milliseconds 1973: whatever is larger can only be milliseconds.
        return datetime.fromtimestamp(value / 1000 if abs(value) > 1e11 else value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def format_time(value: datetime) -> str:
    """RFC 3339 in UTC with ``+00:00``, as kiro-rs writes it, whole seconds."""
    return value.astimezone(UTC).isoformat(timespec="seconds")


# --- tokens -----------------------------------------------------------------------------------------------------


def fingerprint(secret: str) -> str:
    """Lower-case hex SHA-256."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def refresh_token_problem(token: str | None) -> str | None:
    """Why this cannot be a whole refresh token, as one sentence (operations §3.11)."""
    if not token:
        return "refreshToken is missing."
    if len(token) < SHORTEST_REFRESH_TOKEN or "..." in token:
        return f"refreshToken has been truncated ({len(token)} characters). Copy the whole token from its source."
    return None


def with_grant(credential: Credential, grant: TokenGrant, now: datetime) -> Credential:
    """The credential after a refresh: only token fields, and an e-mail that was unknown, change (operations §4.5)."""
    lifetime = ASSUMED_LIFETIME if grant.expires_in is None else min(max(grant.expires_in, 0.0), LONGEST_LIFETIME)
    return replace(
        credential,
        access_token=grant.access_token or credential.access_token,
        # Without an access token the old one stays, and so does its expiry.
        expires_at=now + timedelta(seconds=lifetime) if grant.access_token else credential.expires_at,
        refresh_token=grant.refresh_token or credential.refresh_token,
        profile_arn=grant.profile_arn or credential.profile_arn,
        email=credential.email or email_in_token(grant.access_token),
    )


def with_fixed_machine_id(credential: Credential, config_machine_id: str | None) -> Credential:
    """The credential with its derived machine id as its own, unless it or the configuration has one.

    To be called before a refresh: derived from the refresh token, the id would change with every rotation
    (upstream-protocol §9.1). An unusable text in the file is the user's and is left alone.
    """
    if credential.machine_id or normalise_machine_id(config_machine_id):
        return credential
    return replace(credential, machine_id=credential.effective_machine_id())


def email_in_token(access_token: str) -> str | None:
    """The e-mail claim of a JWT, unverified and for display only; None for opaque tokens (operations §4.5)."""
    parts = access_token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json_object(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))) or {}
    except ValueError:  # no base64
        return None
    for name in ("email", "preferred_username", "sub"):
        claim = claims.get(name)
        if isinstance(claim, str) and claim and (name == "email" or "@" in claim):
            return claim
    return None


# --- machine ids and regions ------------------------------------------------------------------------------------


def normalise_machine_id(value: str | None) -> str | None:
    """64 hex digits as they are; a UUID with or without dashes twice in a row; None for anything else (§9.1)."""
    text = (value or "").strip()
    if re.fullmatch(r"[0-9A-Fa-f]{64}", text):
        return text
    digits = text.replace("-", "")
    return digits * 2 if re.fullmatch(r"[0-9A-Fa-f]{32}", digits) else None


def auth_region_of(credential: Credential, config: Config) -> str:
    """Region of the token service (operations §3.5)."""
    return credential.auth_region or credential.region or config.auth_region or config.region


def api_region_of(credential: Credential, config: Config) -> str:
    """Region of chat, MCP and usage calls. The profile ARN's region wins: upstream refuses any other (§1.8)."""
    return arn_region(credential.profile_arn) or credential.api_region or config.api_region or config.region


def arn_region(arn: str | None) -> str | None:
    """Fourth field of an ARN; None if there is no ARN or no region in it."""
    found = _ARN_REGION.match(arn or "")
    return found[1] if found else None
