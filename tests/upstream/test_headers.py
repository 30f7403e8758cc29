"""Headers in exact order (upstream-protocol §1.1, §6.1, §7.1)."""

from __future__ import annotations

import re

import pytest

from kiro_rs_py.config import Config
from kiro_rs_py.errors import ConfigError
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.headers import Headers, chat_headers, control_headers, mcp_headers, profile_arn_of

ARN = "arn:aws:codewhisperer:us-east-1:123456789012:profile/ABC"
MACHINE = "ab" * 32
CONFIG = Config(kiro_version="0.11.107", node_version="22.22.0", system_version="win32#10.0.22631")
SOCIAL = Credential(access_token="aoa-token", machine_id=MACHINE, profile_arn=ARN)
API_KEY = Credential(auth_method="api_key", kiro_api_key="ksk_test", machine_id=MACHINE, profile_arn=ARN)
URL = "https://q.us-east-1.amazonaws.com/generateAssistantResponse"

STREAMING_AGENT = [
    ("x-amz-user-agent", f"aws-sdk-js/1.0.27 KiroIDE-0.11.107-{MACHINE}"),
    (
        "user-agent",
        "aws-sdk-js/1.0.27 ua/2.1 os/win32#10.0.22631 lang/js md/nodejs#22.22.0 api/codewhispererstreaming#1.0.27"
        f" m/E KiroIDE-0.11.107-{MACHINE}",
    ),
]


def without_id(headers: Headers) -> Headers:
    """The invocation id replaced, once it has been seen to be a fresh version-4 UUID in lower case."""
    shape = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert re.fullmatch(shape, dict(headers)["amz-sdk-invocation-id"])
    return [(name, "UUID" if name == "amz-sdk-invocation-id" else value) for name, value in headers]


def test_chat() -> None:
    assert without_id(chat_headers(CONFIG, SOCIAL, URL, b"12345")) == [
        ("content-type", "application/json"),
        ("x-amzn-codewhisperer-optout", "true"),
        ("x-amzn-kiro-agent-mode", "vibe"),
        *STREAMING_AGENT,
        ("host", "q.us-east-1.amazonaws.com"),
        ("amz-sdk-invocation-id", "UUID"),
        ("amz-sdk-request", "attempt=1; max=3"),
        ("authorization", "Bearer aoa-token"),
        ("connection", "close"),
        ("accept", "*/*"),
        ("content-length", "5"),
    ]


def test_every_call_has_its_own_invocation_id() -> None:
    ids = {dict(chat_headers(CONFIG, SOCIAL, URL, b""))["amz-sdk-invocation-id"] for _ in range(3)}
    assert len(ids) == 3


def test_api_keys_say_what_they_are() -> None:
    headers = chat_headers(CONFIG, API_KEY, URL, b"")
    names = [name for name, _ in headers]
    assert ("tokentype", "API_KEY") in headers
    assert names.index("tokentype") == names.index("authorization") + 1
    assert dict(headers)["authorization"] == "Bearer ksk_test"
    assert profile_arn_of(API_KEY) is None
    assert profile_arn_of(SOCIAL) == ARN


def test_mcp() -> None:
    assert without_id(mcp_headers(CONFIG, SOCIAL, "http://127.0.0.1:8080/mcp", b"{}")) == [
        ("content-type", "application/json"),
        *STREAMING_AGENT,
        ("host", "127.0.0.1:8080"),
        ("amz-sdk-invocation-id", "UUID"),
        ("amz-sdk-request", "attempt=1; max=3"),
        ("authorization", "Bearer aoa-token"),
        ("x-amzn-kiro-profile-arn", ARN),
        ("connection", "close"),
        ("accept", "*/*"),
        ("content-length", "2"),
    ]
    assert "x-amzn-kiro-profile-arn" not in dict(mcp_headers(CONFIG, API_KEY, URL, b"{}"))


def test_control_calls_keep_to_the_old_version() -> None:
    assert without_id(control_headers(CONFIG, SOCIAL, URL)) == [
        ("x-amz-user-agent", f"aws-sdk-js/1.0.0 KiroIDE-0.9.2-{MACHINE}"),
        (
            "user-agent",
            "aws-sdk-js/1.0.0 ua/2.1 os/darwin#24.6.0 lang/js md/nodejs#22.21.1 api/codewhispererruntime#1.0.0"
            f" m/N,E KiroIDE-0.9.2-{MACHINE}",
        ),
        ("host", "q.us-east-1.amazonaws.com"),
        ("amz-sdk-invocation-id", "UUID"),
        ("amz-sdk-request", "attempt=1; max=1"),
        ("authorization", "Bearer aoa-token"),
        ("connection", "close"),
        ("accept", "*/*"),
    ]


def test_control_call_with_a_target() -> None:
    headers = control_headers(CONFIG, API_KEY, URL, b"{}", target="AmazonCodeWhispererService.ListAvailableProfiles")
    assert headers[:2] == [
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-target", "AmazonCodeWhispererService.ListAvailableProfiles"),
    ]
    assert headers[-1] == ("content-length", "2")
    assert ("tokentype", "API_KEY") in headers


@pytest.mark.parametrize("token", ["tok\nen", "tök", "tok\0en", "token…"])
def test_a_token_that_no_header_can_carry(token: str) -> None:
    with pytest.raises(ConfigError) as caught:
        chat_headers(CONFIG, Credential(id=3, access_token=token), URL, b"")
    assert "#3" in str(caught.value)
    assert "tok" not in str(caught.value).replace("token", "")
