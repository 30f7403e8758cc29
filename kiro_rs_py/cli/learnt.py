"""What a server on these files has learnt, for commands that answer as it would. Reads files only.

``count-tokens`` is answered before Typer is imported (see :mod:`front`), so nothing heavy is imported here, trio and
httpx among it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kiro_rs_py.config.settings import Config
    from kiro_rs_py.convert.calibration import Calibration


def calibration_for(model: str, *, config: Path | None = None, credentials: Path | None = None) -> Calibration:
    """How ``model``'s tokens are counted by now; nothing is learnt yet where no settings or no state file are found.

    ``config`` and ``credentials`` as on the command line. Without trouble: counting needs no configuration.
    """
    from kiro_rs_py.config.files import beside
    from kiro_rs_py.convert.calibration import Calibration, parse_calibration
    from kiro_rs_py.errors import ConfigError

    try:
        if config is None and credentials is None and _nothing_is_set_or_kept():
            return Calibration()
        settings = _settings(config, credentials)
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


def _settings(config: Path | None, credentials: Path | None) -> Config:
    from kiro_rs_py.cli.folders import user_folders
    from kiro_rs_py.config.reader import Inputs, read_config

    inputs = Inputs(folders=user_folders(), config=config, credentials=credentials, environ=os.environ)
    return read_config(inputs).config


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
