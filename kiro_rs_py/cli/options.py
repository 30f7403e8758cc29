"""The options that commands share, as Typer knows them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiro_rs_py.cli.shared import LogFormat

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Configuration file (TOML or JSON).", metavar="PATH", show_default=False),
]
CredentialsOption = Annotated[
    Path | None, typer.Option("--credentials", help="Credentials file.", metavar="PATH", show_default=False)
]
LogLevelOption = Annotated[
    str | None,
    typer.Option("--log-level", help="Such as debug, or info,upstream=debug.", metavar="LEVEL", show_default=False),
]
LogFormatOption = Annotated[
    LogFormat | None, typer.Option("--log-format", help="Log lines as text or JSON.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DemoOption = Annotated[
    bool, typer.Option("--demo", help="Play against a simulated Kiro: no account, no configuration, no network.")
]
