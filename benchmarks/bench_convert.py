"""Request conversion against the JSON work nobody can avoid, for histories of half a megabyte to five.

Yardstick of each size: ``json.loads`` plus ``json.dumps`` of the same bytes. ``ns/byte`` has to stay level: the work is
linear. Run with ``python -m benchmarks.bench_convert [--json]``.
"""

from __future__ import annotations

import json
from functools import partial

from benchmarks.timing import measure, wants_json
from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.convert.kiro import encode_request
from kiro_rs_py.convert.messages_request import parse_messages_request
from kiro_rs_py.convert.models import ModelCatalog
from kiro_rs_py.convert.request import ConversionOptions, RequestIds, convert_request

SIZES = (500_000, 1_000_000, 2_000_000, 5_000_000)
ROUNDS = 9
BUDGET = 3.0
"""Times the yardstick that are allowed."""

IDS = RequestIds("8bb5523b-ec7c-4540-a9ca-beb6d79f1552", "3f0c8f3e-0d5c-4a58-9a8e-2f2f6b6a1c11")
OPTIONS = ConversionOptions(ModelCatalog())


def main() -> None:
    """Measure and print."""
    as_json = wants_json(__doc__)
    rows = [measure_size(size) for size in SIZES]
    if as_json:
        print(json.dumps({"budget": BUDGET, "rows": rows}, indent=2))
        return
    print("history          parse   convert    encode       all     yardstick   ratio")
    for row in rows:
        stages = "".join(f"{row[stage]:>10.2f}" for stage in ("parse", "convert", "encode", "all", "yardstick"))
        print(f"{row['bytes']:>9,} B{stages} ns/byte {row['ratio']:>5.2f} x")


def measure_size(size: int) -> dict[str, float]:
    """Nanoseconds per byte of each stage for a history of ``size`` bytes, and the ratio of all to the yardstick."""
    body = agent_session(size)
    request = parse_messages_request(body)
    state = convert_request(request, ids=IDS, options=OPTIONS).state
    medians = measure(
        {
            "parse": partial(parse_messages_request, body),
            "convert": partial(convert_request, request, ids=IDS, options=OPTIONS),
            "encode": partial(encode_request, state),
            "all": partial(whole_request, body),
            "yardstick": partial(json_work, body),
        },
        ROUNDS,
    )
    per_byte = {stage: round(seconds * 1e9 / len(body), 3) for stage, seconds in medians.items()}
    return {"bytes": len(body), **per_byte, "ratio": round(medians["all"] / medians["yardstick"], 3)}


def whole_request(body: bytes) -> bytes:
    """What a request costs between the two sockets."""
    return encode_request(convert_request(parse_messages_request(body), ids=IDS, options=OPTIONS).state)


def json_work(body: bytes) -> str:
    """The yardstick."""
    return json.dumps(json.loads(body))


def agent_session(size: int) -> bytes:
    """A coding session of about ``size`` bytes: each round a call with some input and a result with some code."""
    line = "    return [item for item in sorted(items, key=lambda item: item.name) if item is not None]  # “ü”\n"
    messages: list[Json] = [{"role": "user", "content": "Tidy up the code base."}]
    rounds = 0
    length = 0
    while length < size:
        rounds += 1
        messages.append(
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "The next file.", "signature": ""},
                    {"type": "text", "text": f"Reading file {rounds}."},
                    {
                        "type": "tool_use",
                        "id": f"toolu_{rounds:06}",
                        "name": "Read",
                        "input": {"file_path": f"/src/module_{rounds}.py", "offset": 1, "limit": 20},
                    },
                ],
            }
        )
        result = line * (5 + rounds % 30)
        messages.append(
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": f"toolu_{rounds:06}", "content": result}],
            }
        )
        length += len(result.encode()) + 420
    schema: JsonObject = {"type": "object", "properties": {"file_path": {"type": "string"}}, "required": ["file_path"]}
    body: JsonObject = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 32_000,
        "system": "You are a careful engineer.",
        "tools": [{"name": "Read", "description": "Reads a file.", "input_schema": schema}],
        "messages": messages,
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


if __name__ == "__main__":
    main()
