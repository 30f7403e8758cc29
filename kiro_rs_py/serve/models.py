"""``GET /v1/models`` and ``GET /v1/models/{id}``, as Anthropic's SDKs and kiro-rs's users read them."""

from __future__ import annotations

from collections.abc import Mapping

from kiro_rs_py.config import Config
from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.convert.calibration import Calibration, Calibrations
from kiro_rs_py.convert.models import Model, ModelCatalog
from kiro_rs_py.errors import InvalidRequest
from kiro_rs_py.serve.app import Call, Route

MAX_LIMIT = 1000


class Models:
    """The handlers of the model routes."""

    def __init__(self, config: Config, catalog: ModelCatalog, calibrations: Calibrations) -> None:
        self._calibrations = calibrations
        self.configure(config, catalog)

    def configure(self, config: Config, catalog: ModelCatalog) -> None:
        self._catalog = catalog
        self._thinking_suffix = config.thinking_suffix

    def routes(self) -> list[Route]:
        return [Route(path, {"GET": self.answer}, prefix=True) for path in ("/v1/models", "/cc/v1/models")]

    async def answer(self, call: Call) -> None:
        """The list, or the one model the path names. Raises NotFound for a name that means no model."""
        if call.rest:
            model = self._catalog.find(call.rest, thinking_suffix=self._thinking_suffix)
            await call.reply.json(200, self._json(model))
        else:
            models = self._catalog.list(thinking_suffix=self._thinking_suffix)
            await call.reply.json(200, page([self._json(model) for model in models], call.query))

    def _json(self, model: Model) -> JsonObject:
        return model_json(model, self._calibrations.of(model.upstream_id))


def model_json(model: Model, calibration: Calibration) -> JsonObject:
    """Anthropic's members (SDK 2.x asks for ``lifecycle`` too), then kiro-rs's (request-conversion §2.4), then ours.

    ``token_estimate``: input tokens are taken for ``estimate x ratio + overhead``, learnt from ``samples`` answers.
    """
    entry: JsonObject = {
        "type": "model",
        "id": model.id,
        "display_name": model.display_name,
        "created_at": model.created_at,
        "lifecycle": "active",
        "max_input_tokens": model.window,
        "max_tokens": model.max_output,
        "object": "model",
        "created": model.created,
        "owned_by": "anthropic",
        "context_length": model.window,
        "max_completion_tokens": model.max_output,
        "thinking": True,
        "upstream_id": model.upstream_id,
        "rate_multiplier": model.rate,
    }
    if calibration.known:
        entry["token_estimate"] = {
            "ratio": round(calibration.ratio, 4),
            "overhead": calibration.overhead,
            "samples": calibration.samples,
        }
    return entry


def page(entries: list[JsonObject], query: Mapping[str, str]) -> JsonObject:
    """The part of the list that ``limit``, ``after_id`` and ``before_id`` ask for; all of it by default, as kiro-rs.

    Raises :class:`InvalidRequest` for a limit outside 1 … 1000 and a cursor that is no id of the list.
    """
    limit = _limit(query.get("limit"))
    ids = [entry["id"] for entry in entries]
    if before := query.get("before_id"):
        end = _position(ids, before, "before_id")
        start = max(0, end - limit)
        has_more = start > 0
    else:
        after = query.get("after_id")
        start = _position(ids, after, "after_id") + 1 if after else 0
        end = min(len(entries), start + limit)
        has_more = end < len(entries)
    data: list[Json] = list(entries[start:end])
    return {
        "object": "list",
        "data": data,
        "has_more": has_more,
        "first_id": ids[start] if data else None,
        "last_id": ids[end - 1] if data else None,
    }


def _limit(text: str | None) -> int:
    if text is None:
        return MAX_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_LIMIT):
        raise InvalidRequest(f"limit: must be a number from 1 to {MAX_LIMIT}.")
    return int(text)


def _position(ids: list[Json], wanted: str, name: str) -> int:
    try:
        return ids.index(wanted)
    except ValueError:
        raise InvalidRequest(f"{name}: is not the id of a model in the list.") from None
