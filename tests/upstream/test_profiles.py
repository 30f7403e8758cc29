from __future__ import annotations

import json

import httpx
import pytest

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.errors import Throttled, UpstreamUnauthorized
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.server import open_simulator
from kiro_rs_py.upstream.credential import Credential, parse_credential
from kiro_rs_py.upstream.endpoints import Endpoints
from kiro_rs_py.upstream.http import HttpClients
from kiro_rs_py.upstream.profiles import find_profile_arn, first_arn

ARN = "arn:aws:codewhisperer:us-east-1:123456789012:profile/ABCDEF"
FORBIDDEN: tuple[int, Json] = (403, {"message": "User is not authorized to make this call."})
NONE: tuple[int, Json] = (200, {"profiles": [], "nextToken": None})
FOUND: tuple[int, Json] = (200, {"profiles": [{"arn": ARN}]})
SLOW: tuple[int, Json] = (429, {"message": "Too many requests"})


class Regions:
    """The service in several regions, with one answer for each host."""

    def __init__(self, **answers: tuple[int, Json]) -> None:
        self.answers = {name.replace("_", "-"): answer for name, answer in answers.items()}
        self.asked: list[httpx.Request] = []

    async def call(
        self, request: httpx.Request, credential: Credential | None = None, *, seconds: float = 30.0
    ) -> httpx.Response:
        self.asked.append(request)
        status, body = self.answers[request.url.host.split(".")[1]]
        return httpx.Response(status, text=json.dumps(body))


async def find(service: Regions, **fields: str) -> str | None:
    return await find_profile_arn(service, Config(), Endpoints(Config()), Credential(access_token="t", **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("here", "there", "arn", "calls"),
    [
        (FOUND, FORBIDDEN, ARN, 1),
        (NONE, FOUND, ARN, 2),
        (FORBIDDEN, FOUND, ARN, 2),
        (NONE, NONE, None, 2),
        (NONE, FORBIDDEN, None, 2),
        (FORBIDDEN, NONE, None, 2),
    ],
)
async def test_first_here_then_there(
    here: tuple[int, Json], there: tuple[int, Json], arn: str | None, calls: int
) -> None:
    service = Regions(us_east_1=here, eu_central_1=there)
    assert await find(service) == arn
    assert len(service.asked) == calls


async def test_a_european_login_is_asked_for_in_europe_first() -> None:
    service = Regions(us_east_1=NONE, eu_central_1=FOUND)
    assert await find(service, region="eu-west-1") == ARN
    (request,) = service.asked
    assert str(request.url) == "https://q.eu-central-1.amazonaws.com/"
    assert request.headers["x-amz-target"] == "AmazonCodeWhispererService.ListAvailableProfiles"
    assert request.content == b'{"maxResults":10}'


async def test_only_errors_mean_unknown() -> None:
    with pytest.raises(UpstreamUnauthorized):
        await find(Regions(us_east_1=FORBIDDEN, eu_central_1=FORBIDDEN))


async def test_a_throttle_ends_it() -> None:
    service = Regions(us_east_1=SLOW, eu_central_1=FOUND)
    with pytest.raises(Throttled):
        await find(service)
    assert len(service.asked) == 1


async def test_an_api_key_has_no_profile() -> None:
    service = Regions()
    assert await find(service, auth_method="api_key", kiro_api_key="ksk_x") is None
    assert service.asked == []


@pytest.mark.parametrize(
    ("profiles", "arn"),
    [
        ([{"arn": ""}, {"arn": None}, "x", {"arn": f" {ARN} "}], ARN),
        ([{"arn": "arn:aws:s3:::bucket"}], None),
        (None, None),
        ({}, None),
    ],
)
def test_the_first_usable_arn(profiles: Json, arn: str | None) -> None:
    answer: JsonObject = {"profiles": profiles}
    assert first_arn(answer) == arn


async def test_the_simulated_service() -> None:
    simulator = Simulator(accounts=[Account(name="a", method="idc", profile_arn=ARN), Account(name="b")])
    async with open_simulator(simulator) as running:
        config = Config(upstream_url=running.url)
        async with HttpClients(config) as http:
            for name, arn in (("a", ARN), ("b", None)):
                credential = parse_credential(simulator.credential_json(name, profileArn=None))
                assert await find_profile_arn(http, config, Endpoints(config), credential) == arn
    assert simulator.counts["/ListAvailableProfiles"] == 2
