"""``models``: what ``GET /v1/models`` would answer."""

from __future__ import annotations

from kiro_rs_py.cli.options import ConfigOption, CredentialsOption, JsonOption, LogFormatOption, LogLevelOption
from kiro_rs_py.cli.shared import common_of, open_settings
from kiro_rs_py.cli.terminal import print_json, print_table


def models(
    config: ConfigOption = None,
    credentials: CredentialsOption = None,
    as_json: JsonOption = False,
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """List the model names that clients can use.

    With their context window in tokens and the id that Kiro knows them by.
    The names come from the built-in table, from "models" in the configuration, and from what a server has been told of
    the accounts' plans. Other Claude names work too: dates, -latest and [1m] are understood.

    \b
    Examples:
      kiro-rs-py models
      kiro-rs-py models --json
    """
    from kiro_rs_py.convert.models import catalog_from_settings
    from kiro_rs_py.upstream.catalog import saved_discovery

    settings = open_settings(common_of(config, credentials, log_level, log_format)).config
    found = saved_discovery(settings.credentials_path)
    catalog = catalog_from_settings(settings.models).with_discovered(found.models, complete=found.complete)
    entries = catalog.list(thinking_suffix=settings.thinking_suffix)
    if as_json:
        print_json(
            [
                {
                    "id": entry.id,
                    "display_name": entry.display_name,
                    "created_at": entry.created_at,
                    "context_window": entry.window,
                    "max_output_tokens": entry.max_output,
                    "upstream_id": entry.upstream_id,
                    "rate_multiplier": entry.rate,
                }
                for entry in entries
            ]
        )
        return
    print_table(
        ("id", "window", "upstream id"), [(entry.id, str(entry.window), entry.upstream_id) for entry in entries]
    )
