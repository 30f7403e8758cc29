"""The calls beside the chat: one JSON question, one JSON answer, and where to put it (upstream-protocol §6.1, §8)."""

from __future__ import annotations

import logging

import httpx

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.errors import UpstreamUnavailable
from kiro_rs_py.upstream.credential import Credential, arn_region, auth_region_of
from kiro_rs_py.upstream.failures import classify, redacted
from kiro_rs_py.upstream.refresh import Caller

logger = logging.getLogger(__name__)

# The two regions with hosts for everybody (§1.12).
REGIONS = ("us-east-1", "eu-central-1")


async def call_json(http: Caller, request: httpx.Request, credential: Credential) -> JsonObject:
    """Send ``request`` for ``credential``; the JSON object of a 200.

    Raises UpstreamError of the kind that :func:`~kiro_rs_py.upstream.failures.classify` finds; a 200 may carry an
    error too (§1.5).
    """
    response = await http.call(request, credential)
    try:
        answer = response.json()
    except (ValueError, RecursionError):
        answer = None
    if response.status_code == 200 and isinstance(answer, dict) and "__type" not in answer:
        return answer
    logger.debug("%s answered %d: %s", request.url.path, response.status_code, redacted(response.content))
    if response.status_code == 200 and not isinstance(answer, dict):
        raise UpstreamUnavailable("The service answered with something that is no JSON object.", status=200)
    raise classify(response.status_code, response.headers, response.content)


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
