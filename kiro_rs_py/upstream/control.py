"""The calls beside the chat: one JSON question, one JSON answer, and where to put it (upstream-protocol §6.1, §8).

Here are those for an account's models and its profile; :mod:`~kiro_rs_py.upstream.usage` has the third.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar
from urllib.parse import urlencode

import httpx

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import JsonObject, json_object, list_in, string_in, text_in
from kiro_rs_py.convert.discovered import DiscoveredModel, parse_models
from kiro_rs_py.errors import Throttled, UpstreamError, UpstreamRejected, UpstreamUnauthorized, UpstreamUnavailable
from kiro_rs_py.upstream.credential import Credential, arn_region, auth_region_of
from kiro_rs_py.upstream.endpoints import Endpoints
from kiro_rs_py.upstream.failures import classify, redacted
from kiro_rs_py.upstream.headers import control_headers, profile_arn_of
from kiro_rs_py.upstream.refresh import Caller

logger = logging.getLogger(__name__)

T = TypeVar("T")

# The two regions with hosts for everybody (§1.12).
REGIONS = ("us-east-1", "eu-central-1")

MAX_PAGES = 20
MAX_MODELS = 500

PROFILES_TARGET = "AmazonCodeWhispererService.ListAvailableProfiles"
PROFILES_BODY = b'{"maxResults":10}'
_ARN = re.compile(r"arn:aws[a-z-]*:(?:codewhisperer|transform):[a-z0-9-]+:\d{12}:profile/[A-Za-z0-9]+")


async def call_json(http: Caller, request: httpx.Request, credential: Credential) -> JsonObject:
    """Send ``request`` for ``credential``; the JSON object of a 200. Raises UpstreamError."""
    return read_answer(request, await http.call(request, credential))


def read_answer(request: httpx.Request, response: httpx.Response) -> JsonObject:
    """The JSON object of a 200.

    Raises UpstreamError of the kind that :func:`~kiro_rs_py.upstream.failures.classify` finds; a 200 may carry an
    error too (§1.5).
    """
    answer = json_object(response.content)
    if response.status_code == 200 and answer is not None and "__type" not in answer:
        return answer
    logger.debug("%s answered %d: %s", request.url.path, response.status_code, redacted(response.content))
    if response.status_code == 200 and answer is None:
        raise UpstreamUnavailable("The service answered with something that is no JSON object.", status=200)
    raise classify(response.status_code, response.headers, response.content)


def control_urls(config: Config, endpoints: Endpoints, credential: Credential, path: str) -> tuple[str, ...]:
    """Where to ask about an account, most likely first; with ``upstreamUrl`` all regions are one place."""
    return tuple(dict.fromkeys(endpoints.control(region, path) for region in control_regions(credential, config)))


def control_regions(credential: Credential, config: Config) -> tuple[str, ...]:
    """Regions to ask about an account, most likely first.

    The profile's own region, else a configured one, else the one nearest to where the account signs in; then the
    other one, since a sign-in in Europe may well have its profile in the United States.
    """
    home = auth_region_of(credential, config)
    nearest = REGIONS[1] if home.startswith("eu-") else REGIONS[0]
    if home.startswith("us-gov-"):
        return (home,)
    first = arn_region(credential.profile_arn) or credential.api_region or config.api_region or nearest
    return (first, *(region for region in REGIONS if region != first))


async def ask_everywhere(
    urls: Iterable[str], arns: Iterable[str | None], ask: Callable[[str, str | None], Awaitable[T]]
) -> T:
    """What ``ask`` returns for the first URL and profile ARN (None: without one) that it is not refused with.

    Raises UpstreamError: the first refusal if there are only those, anything else at once.
    """
    failure: UpstreamError | None = None
    for url in urls:
        for arn in dict.fromkeys(arns):
            try:
                return await ask(url, arn)
            except (UpstreamRejected, UpstreamUnauthorized) as error:
                failure = failure or error
                if is_token_refused(error):
                    break
    assert failure is not None
    raise failure


def is_token_refused(error: Exception) -> bool:
    """Whether the service refused the access token itself, so that a refresh may help."""
    return isinstance(error, UpstreamUnauthorized) and error.bearer_invalid


# --- models -----------------------------------------------------------------------------------------------------


async def list_models(
    http: Caller, config: Config, endpoints: Endpoints, credential: Credential
) -> tuple[DiscoveredModel, ...]:
    """All models of the account, all pages read, at least one.

    Company accounts have to name their profile, others may not (§8.1): so it is asked with the ARN if there is one,
    then without, and then in the other region. Raises UpstreamError; a refused token is not refreshed here.
    """

    async def all_pages(url: str, arn: str | None) -> tuple[DiscoveredModel, ...]:
        query = {"origin": "AI_EDITOR"} | ({"profileArn": arn} if arn else {})
        found: dict[str, DiscoveredModel] = {}
        for _ in range(MAX_PAGES):
            headers = control_headers(config, credential, url)
            request = httpx.Request("GET", f"{url}?{urlencode(query)}", headers=headers)
            answer = await call_json(http, request, credential)
            for model in parse_models(answer.get("models")):
                found.setdefault(model.upstream_id.lower(), model)
            token = string_in(answer, "nextToken")
            if not token or len(found) >= MAX_MODELS:
                break
            query["nextToken"] = token
        if not found:
            # A service without models is one in trouble: what was known before is worth more.
            raise UpstreamUnavailable("The service listed no models.", status=200)
        return tuple(found.values())[:MAX_MODELS]

    urls = control_urls(config, endpoints, credential, "/ListAvailableModels")
    return await ask_everywhere(urls, (profile_arn_of(credential), None), all_pages)


# --- profiles ---------------------------------------------------------------------------------------------------


async def find_profile_arn(http: Caller, config: Config, endpoints: Endpoints, credential: Credential) -> str | None:
    """The ARN of the account's first profile, None if it has none: Builder ID and social accounts often do not.

    API keys are never asked for one (§1.8). Raises UpstreamError when no region gave an answer, and Throttled at once.
    """
    if credential.auth_method == "api_key":
        return None
    failure: UpstreamError | None = None
    answered = False
    for url in control_urls(config, endpoints, credential, "/"):
        headers = control_headers(config, credential, url, PROFILES_BODY, target=PROFILES_TARGET)
        request = httpx.Request("POST", url, headers=headers, content=PROFILES_BODY)
        try:
            answer = await call_json(http, request, credential)
        except Throttled:
            raise
        except UpstreamError as error:
            failure = failure or error
            continue
        answered = True
        if arn := first_arn(answer):
            return arn
    if failure is not None and not answered:
        raise failure
    return None


def first_arn(answer: JsonObject) -> str | None:
    """The first usable ARN of an answer."""
    for profile in list_in(answer, "profiles"):
        arn = text_in(profile, "arn") if isinstance(profile, dict) else None
        if arn and _ARN.fullmatch(arn):
            return arn
    return None
