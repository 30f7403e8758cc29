from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from kiro_rs_py.config import Config
from kiro_rs_py.config.keys import KEYS, MASK, default_of, mask_url, masked, spellings

# operations §2.2: the fields of kiro-rs, as its users have them in their files.
KIRO_RS_FIELDS = """
host port region authRegion apiRegion kiroVersion machineId apiKey systemVersion nodeVersion tlsBackend
countTokensApiUrl countTokensApiKey countTokensAuthType proxyUrl proxyUsername proxyPassword adminApiKey
loadBalancingMode thinkingSuffix thinkingFormat maxRequestBodyBytes
"""

# PRODUCT §2: ours.
NEW_FIELDS = """
upstreamUrl endpoint models caFile noProxy pingIntervalSeconds connectTimeoutSeconds firstEventTimeoutSeconds
idleTimeoutSeconds shutdownGraceSeconds maxInboundBodyBytes maxConcurrentRequests logFormat corsOrigins
credentialsPath toolCompressionBytes dumpDir metricsKey adminHosts adminListen maxInboundBytesInFlight
"""


def test_the_table_and_the_dataclass_name_the_same_settings() -> None:
    assert set(KEYS) == {field.name for field in fields(Config)}


def test_every_documented_key_and_no_other() -> None:
    assert {key.camel for key in KEYS.values()} == {*KIRO_RS_FIELDS.split(), *NEW_FIELDS.split()}


def test_both_spellings_and_secret_files() -> None:
    accepted = spellings()
    assert accepted["apiKey"][0] is accepted["api_key"][0]
    assert accepted["apiKeyFile"] == (KEYS["api_key"], True)
    assert "portFile" not in accepted
    assert KEYS["api_key"].env == "KIRO_RS_API_KEY"


def test_default_of() -> None:
    assert default_of("models") == {}
    assert default_of("port") == 8080


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("api_key", "sk-abc", MASK),
        ("api_key", "", None),
        ("proxy_password", None, None),
        ("proxy_url", "http://user:pass@proxy.example:1", f"http://{MASK}@proxy.example:1"),
        ("proxy_url", None, None),
        ("credentials_path", Path("/x"), "/x"),
        ("no_proxy", ("a", "b"), ["a", "b"]),
        ("models", {"extra": []}, {"extra": []}),
        ("port", 1, 1),
    ],
)
def test_masking(name: str, value: object, shown: object) -> None:
    assert masked(KEYS[name], value) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("socks5h://[::1]:1080", "socks5h://[::1]:1080"),
        ("https://u@h/p?key=1#x", f"https://{MASK}@h/p?{MASK}"),
        ("https://u:p@ss@h", f"https://{MASK}@h"),
    ],
)
def test_urls(url: str, shown: str) -> None:
    assert mask_url(url) == shown
