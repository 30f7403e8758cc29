"""Which profile belongs to an account (ListAvailableProfiles; upstream-protocol §8.2)."""

from __future__ import annotations

import re

import httpx

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.errors import Throttled, UpstreamError
from kiro_rs_py.upstream.control import call_json, control_regions
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.endpoints import Endpoints
from kiro_rs_py.upstream.headers import control_headers
from kiro_rs_py.upstream.refresh import Caller

TARGET = "AmazonCodeWhispererService.ListAvailableProfiles"
BODY = b'{"maxResults":10}'
_ARN = re.compile(r"arn:aws[a-z-]*:(?:codewhisperer|transform):[a-z0-9-]+:\d{12}:profile/[A-Za-z0-9]+")


async def find_profile_arn(http: Caller, config: Config, endpoints: Endpoints, credential: Credential) -> str | None:
    """The ARN of the account's first profile, None if it has none: Builder ID and social accounts often do not.

    API keys are never asked for one (§1.8). Raises UpstreamError when no region gave an answer, and Throttled at once.
    """
    if credential.auth_method == "api_key":
        return None
    failure: UpstreamError | None = None
    answered = False
    urls = dict.fromkeys(endpoints.profiles(region) for region in control_regions(credential, config))
    for url in urls:
        headers = control_headers(config, credential, url, BODY, target=TARGET)
        try:
            answer = await call_json(http, httpx.Request("POST", url, headers=headers, content=BODY), credential)
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
    profiles = answer.get("profiles")
    for profile in profiles if isinstance(profiles, list) else ():
        arn = profile.get("arn") if isinstance(profile, dict) else None
        if isinstance(arn, str) and _ARN.fullmatch(arn.strip()):
            return arn.strip()
    return None
