"""The effective configuration as it may be shown: every setting, its source, no secret (operations §6.11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from kiro_rs_py.config import Config
from kiro_rs_py.config.keys import KEYS, default_of
from kiro_rs_py.config.masking import masked
from kiro_rs_py.convert.anthropic import Json, JsonObject


def effective_settings(config: Config, sources: Mapping[str, str]) -> JsonObject:
    """``{"settings": [{"key", "value", "source"}, …]}`` with kiro-rs's spellings of the keys.

    ``sources`` is what the reader of the configuration found out; without it a value is a default or it is not.
    """
    settings: list[Json] = []
    for name, key in KEYS.items():
        value = getattr(config, name)
        source = sources.get(name) or ("default" if value == default_of(name) else "configured")
        settings.append({"key": key.camel, "value": cast("Json", masked(key, value)), "source": source})
    return {"settings": settings}
