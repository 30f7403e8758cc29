from __future__ import annotations

from dataclasses import fields

import pytest

from kiro_rs_py.config import Config
from kiro_rs_py.config.keys import KEYS, default_of, spellings

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
    with pytest.raises(KeyError):
        default_of("prot")
