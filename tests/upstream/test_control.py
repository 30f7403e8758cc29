from __future__ import annotations

import httpx
import pytest

from kiro_rs_py.config import Config
from kiro_rs_py.errors import Throttled, UpstreamUnauthorized, UpstreamUnavailable
from kiro_rs_py.upstream.control import call_json, control_regions
from kiro_rs_py.upstream.credential import Credential

ARN = "arn:aws:codewhisperer:eu-central-1:123456789012:profile/ABC"


class Answering:
    def __init__(self, status: int, text: str) -> None:
        self.response = httpx.Response(status, text=text)

    async def call(
        self, request: httpx.Request, credential: Credential | None = None, *, seconds: float = 30.0
    ) -> httpx.Response:
        return self.response


async def ask(status: int, text: str) -> object:
    return await call_json(Answering(status, text), httpx.Request("GET", "https://q.example/x"), Credential())


async def test_a_json_object() -> None:
    assert await ask(200, '{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        (200, "no json", UpstreamUnavailable),
        (200, "[" * 100_000, UpstreamUnavailable),
        (200, "[]", UpstreamUnavailable),
        (200, '{"__type": "com.amazon#ThrottlingException", "message": "slow"}', Throttled),
        (403, '{"message": "The bearer token included in the request is invalid."}', UpstreamUnauthorized),
        (502, "", UpstreamUnavailable),
    ],
)
async def test_anything_else_is_an_error(status: int, text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        await ask(status, text)


@pytest.mark.parametrize(
    ("credential", "config", "regions"),
    [
        (Credential(), Config(), ("us-east-1", "eu-central-1")),
        (Credential(region="eu-west-1"), Config(), ("eu-central-1", "us-east-1")),
        (Credential(region="ap-southeast-1"), Config(), ("us-east-1", "eu-central-1")),
        (Credential(profile_arn=ARN), Config(api_region="us-east-1"), ("eu-central-1", "us-east-1")),
        (Credential(api_region="us-west-2"), Config(), ("us-west-2", "us-east-1", "eu-central-1")),
        (Credential(), Config(api_region="eu-central-1"), ("eu-central-1", "us-east-1")),
        (Credential(), Config(region="eu-west-1"), ("eu-central-1", "us-east-1")),
        (Credential(auth_region="us-gov-west-1"), Config(), ("us-gov-west-1",)),
    ],
)
def test_where_to_ask(credential: Credential, config: Config, regions: tuple[str, ...]) -> None:
    assert control_regions(credential, config) == regions
