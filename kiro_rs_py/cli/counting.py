"""Counting and printing for ``count-tokens``; imports no Typer, so that the front can call it (see :mod:`front`)."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from kiro_rs_py.convert.calibration import Calibration


_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class _Count:
    """Tokens by part and in all; ``calibration`` made the total of a request out of the sum of its parts."""

    parts: dict[str, int]
    total: int
    calibration: Calibration | None = None


def print_count(
    *,
    file: str | None = None,
    text: str | None = None,
    model: str | None = None,
    breakdown: bool = False,
    as_json: bool = False,
    config: Path | None = None,
    credentials: Path | None = None,
) -> None:
    """Count ``text``, or the request in ``file``, and print the result.

    A request is counted as a server with these settings would by now; a plain text is what it is.

    :raises InvalidRequest: the file cannot be read or holds no Messages API request.
    """
    count = _count_text(text) if text is not None else _count_request(_read(file or "-"), model, config, credentials)
    if as_json:
        from kiro_rs_py.cli.terminal import print_json

        print_json({"input_tokens": count.total, **(_breakdown_json(count) if breakdown else {})})
    elif breakdown:
        from kiro_rs_py.cli.terminal import print_table

        print_table(("part", "tokens"), _breakdown_rows(count))
    else:
        print(count.total)


def _breakdown_json(count: _Count) -> dict[str, object]:
    document: dict[str, object] = {"breakdown": count.parts}
    learnt = count.calibration
    if learnt is not None and learnt.known:
        document["learnt"] = {
            "ratio": round(learnt.ratio, 4),
            "overhead": learnt.overhead,
            "samples": learnt.samples,
            "tokens": count.total - sum(count.parts.values()),
        }
    return document


def _breakdown_rows(count: _Count) -> list[tuple[str, str]]:
    rows = [(part, str(tokens)) for part, tokens in count.parts.items() if tokens]
    learnt = count.calibration
    if learnt is not None and learnt.known:
        name = f"learnt from {learnt.samples} answers (x {learnt.ratio:.2f} + {learnt.overhead})"
        rows.append((name, f"{count.total - sum(count.parts.values()):+d}"))
    return [*rows, ("total", str(count.total))]


def _count_text(text: str) -> _Count:
    from kiro_rs_py.convert.tokens import count_text

    total = count_text(text)
    return _Count({"text": total}, total)


def _count_request(body: bytes, model: str | None, config: Path | None, credentials: Path | None) -> _Count:
    from kiro_rs_py.cli.learnt import calibration_for
    from kiro_rs_py.convert.messages_request import parse_messages_request
    from kiro_rs_py.convert.tokens import estimate_request

    request = parse_messages_request(_with_model(body, model), count_only=True)
    estimate = estimate_request(request)
    calibration = calibration_for(request.model, config=config, credentials=credentials)
    return _Count(asdict(estimate), calibration.apply(estimate.total), calibration)


def _with_model(body: bytes, model: str | None) -> bytes:
    """The body with ``model`` in it, or with any if it names none: a saved prompt need not be a complete request."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return body  # whose parser says it better
    if isinstance(value, dict) and (model or value.get("model") is None):
        return json.dumps({**value, "model": model or "any"}).encode()
    return body


def _read(file: str) -> bytes:
    """The content, without the byte order mark that editors on Windows put in front."""
    try:
        if file == "-":
            return sys.stdin.buffer.read().removeprefix(_BOM)
        with open(file, "rb") as opened:
            return opened.read().removeprefix(_BOM)
    except OSError as exc:
        from kiro_rs_py.errors import InvalidRequest

        raise InvalidRequest(
            f"{file} cannot be read: {exc.strerror}. Name a JSON file, - for stdin, or use --text."
        ) from exc
