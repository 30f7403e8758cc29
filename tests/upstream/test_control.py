from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.convert.discovered import DiscoveredModel
from kiro_rs_py.convert.native_thinking import NativeThinking
from kiro_rs_py.errors import KiroError, Throttled, UpstreamRejected, UpstreamUnauthorized, UpstreamUnavailable
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import MODELS, Simulator
from kiro_rs_py.simulator.server import open_simulator
from kiro_rs_py.upstream.control import MAX_PAGES, call_json, control_regions, find_profile_arn, first_arn, list_models
from kiro_rs_py.upstream.credential import Credential, parse_credential
from kiro_rs_py.upstream.endpoints import Endpoints
from kiro_rs_py.upstream.http import HttpClients

EUROPEAN_ARN = "arn:aws:codewhisperer:eu-central-1:123456789012:profile/ABC"


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
        (Credential(profile_arn=EUROPEAN_ARN), Config(api_region="us-east-1"), ("eu-central-1", "us-east-1")),
        (Credential(api_region="us-west-2"), Config(), ("us-west-2", "us-east-1", "eu-central-1")),
        (Credential(), Config(api_region="eu-central-1"), ("eu-central-1", "us-east-1")),
        (Credential(), Config(region="eu-west-1"), ("eu-central-1", "us-east-1")),
        (Credential(auth_region="us-gov-west-1"), Config(), ("us-gov-west-1",)),
    ],
)
def test_where_to_ask(credential: Credential, config: Config, regions: tuple[str, ...]) -> None:
    assert control_regions(credential, config) == regions


ARN = "arn:aws:codewhisperer:us-east-1:123456789012:profile/ABCDEF"


@dataclass(frozen=True)
class Asker:
    http: HttpClients
    config: Config
    simulator: Simulator

    async def models(self, **fields: Json) -> tuple[DiscoveredModel, ...]:
        return await list_models(self.http, self.config, Endpoints(self.config), self.credential(**fields))

    def credential(self, **fields: Json) -> Credential:
        return parse_credential({"id": 1, **self.simulator.credential_json(), **fields})

    def queries(self) -> list[dict[str, str]]:
        return [dict(request.query) for request in self.simulator.requests_to(MODELS)]


@asynccontextmanager
async def asking(account: Account) -> AsyncIterator[Asker]:
    simulator = Simulator(accounts=[account])
    async with open_simulator(simulator) as running:
        config = Config(upstream_url=running.url)
        http = HttpClients(config)
        yield Asker(http, config, simulator)


async def test_all_that_is_said_of_a_model() -> None:
    async with asking(Account(name="one", profile_arn=ARN)) as asker:
        models = {model.upstream_id: model for model in await asker.models()}
    opus = models["claude-opus-4.8"]
    assert (opus.display_name, opus.window, opus.max_output, opus.rate) == ("Claude Opus 4.8", 1_000_000, 128_000, 2.2)
    assert opus.native == NativeThinking(
        "output_config", ("low", "medium", "high", "xhigh", "max"), "high", ("summarized", "omitted")
    )
    assert models["gpt-5.6-sol"].native is not None
    assert models["claude-haiku-4.5"].native is None
    (query,) = asker.queries()
    assert query == {"origin": "AI_EDITOR", "profileArn": ARN}
    (request,) = asker.simulator.requests_to(MODELS)
    assert "KiroIDE-0.9.2" in (request.header("user-agent") or "")


async def test_a_free_plan_has_fewer() -> None:
    async with asking(Account(name="one", plan="KIRO FREE")) as asker:
        ids = {model.upstream_id for model in await asker.models()}
    assert "claude-sonnet-5" in ids
    assert "claude-opus-5" not in ids
    assert asker.queries() == [{"origin": "AI_EDITOR"}]


async def test_all_pages_are_read() -> None:
    async with asking(Account(name="one")) as asker:
        everything = await asker.models()
        asker.simulator.catalogue.page_size = 5
        assert await asker.models() == everything
        assert [query.get("nextToken") for query in asker.queries()][1:] == [None, "5", "10", "15", "20"]


async def test_pages_without_an_end_are_left() -> None:
    async with asking(Account(name="one")) as asker:
        page: Json = {"models": [{"modelId": "auto"}], "nextToken": "again"}
        asker.simulator.fail_next(MODELS, 200, page, times=MAX_PAGES + 5)
        assert await asker.models() == (DiscoveredModel("auto"),)
        assert asker.simulator.counts[MODELS] == MAX_PAGES


async def test_an_arn_that_is_refused_is_left_out() -> None:
    async with asking(Account(name="one", profile_arn=ARN)) as asker:
        assert await asker.models(profileArn=ARN.replace("ABCDEF", "OTHER"))
        assert [("profileArn" in query) for query in asker.queries()] == [True, False]


async def test_an_api_key_names_no_arn() -> None:
    async with asking(Account(name="one", method="api_key")) as asker:
        assert await asker.models(profileArn=ARN)
        assert asker.queries() == [{"origin": "AI_EDITOR"}]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, {"message": "slow down"}, Throttled),
        (500, None, UpstreamUnavailable),
        (200, {"models": []}, UpstreamUnavailable),
        (200, {"nextToken": "5"}, UpstreamUnavailable),
        (200, [], UpstreamUnavailable),
    ],
)
async def test_failures_of_the_service_end_it(status: int, body: Json, kind: type[KiroError]) -> None:
    async with asking(Account(name="one", profile_arn=ARN)) as asker:
        asker.simulator.fail_next(MODELS, status, body, times=30)
        with pytest.raises(kind):
            await asker.models()


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, UpstreamRejected), (403, UpstreamUnauthorized)],
)
async def test_refusals_are_told_when_every_way_was_tried(status: int, kind: type[KiroError]) -> None:
    async with asking(Account(name="one", profile_arn=ARN)) as asker:
        asker.simulator.fail_next(MODELS, status, {"message": "Improperly formed request."}, times=9)
        with pytest.raises(kind):
            await asker.models()
        # Both regions are one place behind upstreamUrl.
        assert asker.simulator.counts[MODELS] == 2


async def test_the_other_region_is_asked_next() -> None:
    """A sign-in in Europe may well have its profile in the United States (§8.1)."""
    hosts: list[str] = []

    class Refusing:
        async def call(
            self, request: httpx.Request, credential: Credential | None = None, *, seconds: float = 30.0
        ) -> httpx.Response:
            hosts.append(request.url.host)
            if "us-east-1" in request.url.host:
                return httpx.Response(200, json={"models": [{"modelId": "auto"}]})
            return httpx.Response(403, json={"message": "User is not authorized."})

    config = Config()
    credential = Credential(id=1, access_token="aoa", region="eu-west-1")
    assert await list_models(Refusing(), config, Endpoints(config), credential) == (DiscoveredModel("auto"),)
    assert hosts == ["q.eu-central-1.amazonaws.com", "q.us-east-1.amazonaws.com"]


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
        http = HttpClients(config)
        for name, arn in (("a", ARN), ("b", None)):
            credential = parse_credential(simulator.credential_json(name, profileArn=None))
            assert await find_profile_arn(http, config, Endpoints(config), credential) == arn
    assert simulator.counts["/ListAvailableProfiles"] == 2
