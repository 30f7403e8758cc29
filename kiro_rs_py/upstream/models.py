"""Which models an account has (ListAvailableModels; upstream-protocol §8.1, field-notes §2)."""

from __future__ import annotations

from urllib.parse import urlencode

import httpx

from kiro_rs_py.config import Config
from kiro_rs_py.convert.discovered import DiscoveredModel, parse_models
from kiro_rs_py.errors import UpstreamError, UpstreamRejected, UpstreamUnauthorized, UpstreamUnavailable
from kiro_rs_py.upstream.control import call_json, control_regions
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.endpoints import Endpoints
from kiro_rs_py.upstream.headers import control_headers, profile_arn_of
from kiro_rs_py.upstream.refresh import Caller

MAX_PAGES = 20
MAX_MODELS = 500


async def list_models(
    http: Caller, config: Config, endpoints: Endpoints, credential: Credential
) -> tuple[DiscoveredModel, ...]:
    """All models of the account, all pages read, at least one.

    Company accounts have to name their profile, others may not (§8.1): so it is asked with the ARN if there is one,
    then without, and then in the other region. Raises UpstreamError; a refused token is not refreshed here.
    """
    arn = profile_arn_of(credential)
    failure: UpstreamError | None = None
    for url in dict.fromkeys(endpoints.models(region) for region in control_regions(credential, config)):
        for sent in dict.fromkeys((arn, None)):
            try:
                return await _all_pages(http, config, credential, url, sent)
            except (UpstreamRejected, UpstreamUnauthorized) as error:
                failure = failure or error
    assert failure is not None
    raise failure


async def _all_pages(
    http: Caller, config: Config, credential: Credential, url: str, arn: str | None
) -> tuple[DiscoveredModel, ...]:
    query = {"origin": "AI_EDITOR"}
    if arn is not None:
        query["profileArn"] = arn
    found: dict[str, DiscoveredModel] = {}
    for _ in range(MAX_PAGES):
        headers = control_headers(config, credential, url)
        request = httpx.Request("GET", f"{url}?{urlencode(query)}", headers=headers)
        answer = await call_json(http, request, credential)
        for model in parse_models(answer.get("models")):
            found.setdefault(model.upstream_id.lower(), model)
        token = answer.get("nextToken")
        if not isinstance(token, str) or not token or len(found) >= MAX_MODELS:
            break
        query["nextToken"] = token
    if not found:
        # A service without models is one in trouble: what was known before is worth more.
        raise UpstreamUnavailable("The service listed no models.", status=200)
    return tuple(found.values())[:MAX_MODELS]
