"""Somebody else's token counter (``countTokensApiUrl``; request-conversion §8.2).

Its number is welcome and never waited for long: each call is bounded, and after a few failures in a row it is left
alone for a while. Everybody who asks has an estimate of their own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import httpx
import trio

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import Json, JsonObject, json_object, json_text
from kiro_rs_py.convert.client_json import load_json
from kiro_rs_py.errors import ConfigError, InvalidRequest, KiroError, UpstreamUnavailable
from kiro_rs_py.upstream.refresh import Caller

logger = logging.getLogger(__name__)

CALL_SECONDS = 5.0
FAILURES = 3
"""In a row, before it is left alone."""
PAUSE_SECONDS = 60.0
LONGEST_PAUSE = 600.0

_MAX_TOKENS = 1_000_000_000
_TOOL_FIELDS = ("type", "name", "description", "input_schema", "max_uses")


class RemoteCounter:
    """Asks the configured service. Raises nothing: None means that it has no answer for us now."""

    def __init__(self, http: Caller, config: Config) -> None:
        self._http = http
        self._url = config.count_tokens_api_url or ""
        self._headers = [("content-type", "application/json")]
        if key := config.count_tokens_api_key:
            bearer = config.count_tokens_auth_type == "bearer"
            self._headers.append(("authorization", f"Bearer {key}") if bearer else ("x-api-key", key))
        self._failures = 0
        self._closed_until = 0.0

    async def count(self, body: bytes) -> int | None:
        """The input tokens of a request as :func:`counting_body` made it, within :data:`CALL_SECONDS`."""
        if trio.current_time() < self._closed_until:
            return None
        try:
            tokens = await self._ask(body)
        except KiroError as error:
            self._note_failure(str(error))
            return None
        self._failures = 0
        return tokens

    async def _ask(self, body: bytes) -> int:
        try:
            request = httpx.Request("POST", self._url, headers=self._headers, content=body)
        except httpx.InvalidURL as exc:
            raise ConfigError(["countTokensApiUrl is no URL."]) from exc
        response = await self._http.call(request, None, seconds=CALL_SECONDS)
        answer = json_object(response.content) or {}
        tokens = answer.get("input_tokens") if response.is_success else None
        if isinstance(tokens, int) and not isinstance(tokens, bool) and 0 <= tokens <= _MAX_TOKENS:
            return tokens
        raise UpstreamUnavailable("it does not answer with a number of tokens.")

    def _note_failure(self, reason: str) -> None:
        self._failures += 1
        if self._failures < FAILURES:
            logger.info("the remote token counter is of no help: %s", reason)
            return
        pause = min(LONGEST_PAUSE, PAUSE_SECONDS * 2.0 ** min(self._failures - FAILURES, 10))
        self._closed_until = trio.current_time() + pause
        logger.warning("the remote token counter is left alone for %g seconds: %s", pause, reason)


def counting_body(body: bytes, public_id: Callable[[str], str]) -> bytes:
    """What the counter is sent for the ``body`` of a request. ``public_id`` makes a name that others know out of the
    client's.

    REF's members, with the types that Anthropic's own service demands. Raises InvalidRequest for a body that is no JSON
    object.
    """
    request = load_json(body)
    if not isinstance(request, dict):
        raise InvalidRequest("The body must be a JSON object.")
    model = request.get("model")
    sent: JsonObject = {"model": public_id(model) if isinstance(model, str) else model}
    sent["messages"] = request.get("messages", [])
    if system := _system(request.get("system")):
        sent["system"] = system
    tools = request.get("tools")
    if isinstance(tools, list) and tools:
        sent["tools"] = [_tool(tool) for tool in tools]
    return json_text(sent).encode("utf-8", "replace")


def _tool(tool: Json) -> Json:
    return {key: tool[key] for key in _TOOL_FIELDS if key in tool} if isinstance(tool, dict) else tool


def _system(system: Json) -> list[Json]:
    if isinstance(system, str):
        return [{"type": "text", "text": system}] if system else []
    blocks = system if isinstance(system, list) else []
    texts = [block.get("text") for block in blocks if isinstance(block, dict)]
    return [{"type": "text", "text": text} for text in texts if isinstance(text, str) and text]
