"""Short ways to convert a request in a test, and the recorded material."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.convert.kiro import encode_request
from kiro_rs_py.convert.messages_request import parse_messages_request
from kiro_rs_py.convert.models import ModelCatalog
from kiro_rs_py.convert.request import Conversion, ConversionOptions, RequestIds, convert_request
from tests.convert.kiro_rules import violations

TESTS = Path(__file__).parent.parent
IDS = RequestIds("<uuid>", "<uuid>")
OPTIONS = ConversionOptions(ModelCatalog())

TEXT_TOOL: JsonObject = {"name": "a", "description": "A", "input_schema": {"type": "object"}}


def body_of(messages: Json, **fields: Json) -> JsonObject:
    """A request body that is complete but for what the test is about."""
    return {"model": "claude-sonnet-4-5", "max_tokens": 256, "messages": messages, **fields}


def convert(body: JsonObject, *, options: ConversionOptions = OPTIONS, **changes: object) -> Conversion:
    """Bytes to conversion; whatever the test looks at, the service would take the result."""
    request = parse_messages_request(json.dumps(body).encode())
    conversion = convert_request(replace(request, **changes), ids=IDS, options=options)  # type: ignore[arg-type]
    assert violations(kiro_body(conversion)) == []
    return conversion


def kiro_body(conversion: Conversion, profile_arn: str | None = None) -> JsonObject:
    """What goes upstream, as the service reads it."""
    loaded = json.loads(encode_request(conversion.state, profile_arn))
    assert isinstance(loaded, dict)
    return loaded


def user(*blocks: JsonObject | str) -> JsonObject:
    return {"role": "user", "content": [_block(block) for block in blocks]}


def assistant(*blocks: JsonObject | str) -> JsonObject:
    return {"role": "assistant", "content": [_block(block) for block in blocks]}


def system(text: str) -> JsonObject:
    return {"role": "system", "content": text}


def call(tool_use_id: str, name: str = "a", value: Json = None) -> JsonObject:
    return {"type": "tool_use", "id": tool_use_id, "name": name, "input": {} if value is None else value}


def result(tool_use_id: str, content: Json = "r", **fields: Json) -> JsonObject:
    return {"type": "tool_result", "tool_use_id": tool_use_id, "content": content, **fields}


def _block(block: JsonObject | str) -> JsonObject:
    return {"type": "text", "text": block} if isinstance(block, str) else block
