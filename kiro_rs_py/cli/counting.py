"""Counting and printing for ``count-tokens``, by what a server on the same files has learnt. Reads files only.

It is answered before Typer is imported (see :mod:`front`), so nothing heavy is imported here, trio and httpx among it.
"""

from __future__ import annotations

import json
import os
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
    count = _count_text(text) if text is not None else _count_request(file or "-", model, config, credentials)
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


def _count_request(file: str, model: str | None, config: Path | None, credentials: Path | None) -> _Count:
    body = _read(file)
    from kiro_rs_py.convert.messages_request import parse_messages_request
    from kiro_rs_py.convert.tokens import estimate_request
    from kiro_rs_py.errors import InvalidRequest

    try:
        request = parse_messages_request(_with_model(body, model), count_only=True)
    except InvalidRequest as exc:
        place = "stdin" if file == "-" else file
        raise InvalidRequest(f"{place}: {exc} For plain text there is --text.") from None
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


def calibration_for(model: str, *, config: Path | None = None, credentials: Path | None = None) -> Calibration:
    """How ``model``'s tokens are counted by now; nothing is learnt yet where no settings or no state file are found.

    ``config`` and ``credentials`` as on the command line. Without trouble: counting needs no configuration.
    """
    from kiro_rs_py.cli.folders import user_folders
    from kiro_rs_py.config.files import beside
    from kiro_rs_py.convert.calibration import Calibration, parse_calibration
    from kiro_rs_py.errors import ConfigError

    try:
        if config is None and credentials is None and _nothing_is_set_or_kept():
            return Calibration()
        from kiro_rs_py.config.reader import Inputs, read_config

        inputs = Inputs(folders=user_folders(), config=config, credentials=credentials, environ=os.environ)
        settings = read_config(inputs).config
        table = _calibrations(beside(settings.credentials_path, "state"))
        if not table:
            return Calibration()
        from kiro_rs_py.convert.models import catalog_from_settings

        catalog = catalog_from_settings(settings.models)
    except ConfigError:
        return Calibration()
    upstream_id = catalog.upstream_id_of(model, thinking_suffix=settings.thinking_suffix)
    return parse_calibration(table.get(upstream_id)) or Calibration()


def _nothing_is_set_or_kept() -> bool:
    """Whether there are no settings at all, and no state in the place it has by default.

    So it is where no server runs, and to find that out takes a third of the time that reading the settings takes.
    """
    from kiro_rs_py.cli.folders import user_folders
    from kiro_rs_py.config.files import beside, find_config_file, find_credentials_file

    folders = user_folders()
    if any(name.startswith("KIRO_RS_") for name in os.environ) or find_config_file(None, folders) is not None:
        return False
    state = beside(find_credentials_file(None, folders), "state")
    return not os.path.exists(state)  # which raises nothing, unlike Path's


def _calibrations(path: Path) -> dict[str, object]:
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError):
        return {}
    import tomllib

    try:
        document = tomllib.loads(text)
    except ValueError:
        return {}
    table = document.get("calibrations")
    return table if isinstance(table, dict) else {}
