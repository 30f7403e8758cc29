"""The headers of each call, in the order the reference implementation sends them (upstream-protocol §1.1, §6.1, §7.1).

Lists of pairs in lower case, made for ``httpx.Request(headers=…)``, which keeps order and spelling. All functions raise
ConfigError for a bearer that cannot stand in a header.
"""

from __future__ import annotations

from typing import TypeAlias
from uuid import uuid4

from kiro_rs_py.config import Config
from kiro_rs_py.errors import ConfigError
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.endpoints import authority

Headers: TypeAlias = list[tuple[str, str]]

STREAMING_SDK = "1.0.27"
RUNTIME_SDK = "1.0.0"

# From KiroIDE 0.12 on the service wants a profile ARN on these calls, and not every account has one: usage, models and
# profiles keep to this version whatever ``kiroVersion`` says (upstream-protocol §1.8, §6.1, §10).
CONTROL_KIRO_VERSION = "0.9.2"


def chat_headers(config: Config, credential: Credential, url: str, body: bytes) -> Headers:
    """GenerateAssistantResponse (§1.1). The invocation id is fresh for each call."""
    machine_id = credential.effective_machine_id(config.machine_id)
    return [
        ("content-type", "application/json"),
        ("x-amzn-codewhisperer-optout", "true"),
        ("x-amzn-kiro-agent-mode", "vibe"),
        *_streaming_agent(config, machine_id),
        ("host", authority(url)),
        *_invocation(attempts=3),
        *_bearer(credential),
        ("connection", "close"),
        *_body(body),
    ]


def mcp_headers(config: Config, credential: Credential, url: str, body: bytes) -> Headers:
    """Web search (§7.1); the ARN as a header is what newer versions of the reference add."""
    machine_id = credential.effective_machine_id(config.machine_id)
    arn = profile_arn_of(credential)
    return [
        ("content-type", "application/json"),
        *_streaming_agent(config, machine_id),
        ("host", authority(url)),
        *_invocation(attempts=3),
        *_bearer(credential),
        *([("x-amzn-kiro-profile-arn", arn)] if arn else []),
        ("connection", "close"),
        *_body(body),
    ]


def control_headers(
    config: Config, credential: Credential, url: str, body: bytes | None = None, *, target: str | None = None
) -> Headers:
    """getUsageLimits, ListAvailableModels (§6.1, §8.1); with ``body`` and ``target``, ListAvailableProfiles (§8.2)."""
    name = f"KiroIDE-{CONTROL_KIRO_VERSION}-{credential.effective_machine_id(config.machine_id)}"
    headers = [] if target is None else [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", target)]
    return [
        *headers,
        ("x-amz-user-agent", f"aws-sdk-js/{RUNTIME_SDK} {name}"),
        (
            "user-agent",
            # The literals are the reference's: here it does not look at its configuration.
            f"aws-sdk-js/{RUNTIME_SDK} ua/2.1 os/darwin#24.6.0 lang/js md/nodejs#22.21.1"
            f" api/codewhispererruntime#{RUNTIME_SDK} m/N,E {name}",
        ),
        ("host", authority(url)),
        *_invocation(attempts=1),
        *_bearer(credential),
        ("connection", "close"),
        *(_body(body) if body is not None else [("accept", "*/*")]),
    ]


def _streaming_agent(config: Config, machine_id: str) -> Headers:
    name = f"KiroIDE-{config.kiro_version}-{machine_id}"
    return [
        ("x-amz-user-agent", f"aws-sdk-js/{STREAMING_SDK} {name}"),
        (
            "user-agent",
            f"aws-sdk-js/{STREAMING_SDK} ua/2.1 os/{config.system_version} lang/js md/nodejs#{config.node_version}"
            f" api/codewhispererstreaming#{STREAMING_SDK} m/E {name}",
        ),
    ]


def _invocation(attempts: int) -> Headers:
    # "attempt=1" is constant, also on retries: so does the reference.
    return [("amz-sdk-invocation-id", str(uuid4())), ("amz-sdk-request", f"attempt=1; max={attempts}")]


def _bearer(credential: Credential) -> Headers:
    if not (credential.bearer.isascii() and credential.bearer.isprintable()):
        raise ConfigError([f"The token of credential #{credential.id} has characters no token has. Log in again."])
    bearer = [("authorization", f"Bearer {credential.bearer}")]
    # A key without this header is answered "profileArn is required for this request." (§1.5). Lower case: over
    # HTTP/1.1 getUsageLimits was seen to honour no other spelling (§1.9).
    return [*bearer, ("tokentype", "API_KEY")] if credential.auth_method == "api_key" else bearer


def _body(body: bytes) -> Headers:
    # The two that the reference's HTTP library adds, in its order.
    return [("accept", "*/*"), ("content-length", str(len(body)))]


def profile_arn_of(credential: Credential) -> str | None:
    """The ARN to send: never one for an API key (§1.8)."""
    return None if credential.auth_method == "api_key" else credential.profile_arn
