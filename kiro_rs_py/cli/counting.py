"""Counting and printing for ``count-tokens``; imports no Typer, so that the front can call it (see :mod:`front`)."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict


def print_count(
    *,
    file: str | None = None,
    text: str | None = None,
    model: str | None = None,
    breakdown: bool = False,
    as_json: bool = False,
) -> None:
    """Count ``text``, or the request in ``file``, and print the result.

    :raises InvalidRequest: the file cannot be read or holds no Messages API request.
    """
    total, parts = _count_text(text) if text is not None else _count_request(_read(file or "-"), model)
    if as_json:
        from kiro_rs_py.cli.terminal import print_json

        print_json({"input_tokens": total, **({"breakdown": parts} if breakdown else {})})
    elif breakdown:
        from kiro_rs_py.cli.terminal import print_table

        rows = [(part, str(tokens)) for part, tokens in parts.items() if tokens]
        print_table(("part", "tokens"), [*rows, ("total", str(total))])
    else:
        print(total)


def _count_text(text: str) -> tuple[int, dict[str, int]]:
    from kiro_rs_py.convert.tokens import count_text

    total = count_text(text)
    return total, {"text": total}


def _count_request(body: bytes, model: str | None) -> tuple[int, dict[str, int]]:
    from kiro_rs_py.convert.messages_request import parse_messages_request
    from kiro_rs_py.convert.tokens import estimate_request

    estimate = estimate_request(parse_messages_request(_with_model(body, model), count_only=True))
    return estimate.total, asdict(estimate)


def _with_model(body: bytes, model: str | None) -> bytes:
    """The body with ``model`` in it, or with any if it names none: a saved prompt need not be a complete request."""
    if model is None and b'"model"' in body:
        return body
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return body  # whose parser says it better
    if isinstance(value, dict):
        value["model"] = model or value.get("model", "any")
        return json.dumps(value).encode()
    return body


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        with open(file, "rb") as opened:
            return opened.read()
    except OSError as exc:
        from kiro_rs_py.errors import InvalidRequest

        raise InvalidRequest(
            f"{file} cannot be read: {exc.strerror}. Name a JSON file, - for stdin, or use --text."
        ) from exc
