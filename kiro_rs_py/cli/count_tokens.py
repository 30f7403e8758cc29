"""``count-tokens``: tokens of a request or of a text, by the estimator behind ``/v1/messages/count_tokens``."""

from __future__ import annotations

from typing import Annotated

import typer

from kiro_rs_py.cli.options import ConfigOption, CredentialsOption, JsonOption, LogFormatOption, LogLevelOption
from kiro_rs_py.cli.shared import common_of, start_logging


def count_tokens(
    file: Annotated[
        str | None,
        typer.Argument(metavar="[FILE]", help="A Messages API request as JSON; - reads stdin.", show_default=False),
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", help="Count this plain text instead.", show_default=False)
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Count for this model instead of the request's.", show_default=False)
    ] = None,
    breakdown: Annotated[bool, typer.Option("--breakdown", help="Show what each part of the request costs.")] = False,
    config: ConfigOption = None,
    credentials: CredentialsOption = None,
    as_json: JsonOption = False,
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Count the input tokens of a request or of a text.

    The numbers are those of POST /v1/messages/count_tokens: what a server with the same credentials file has learnt
    about a model's tokens is used for requests, and shown by --breakdown. Needs no configuration and no network.

    \b
    Examples:
      kiro-rs-py count-tokens request.json
      kiro-rs-py count-tokens request.json --breakdown --json
      kiro-rs-py count-tokens --text "How many tokens is this?"
      curl -s https://example.com/request.json | kiro-rs-py count-tokens -
    """
    common = common_of(config, credentials, log_level, log_format)
    start_logging(common)
    if (file is None) == (text is None):
        raise typer.BadParameter("Give either a FILE (- for stdin) or --text.", param_hint="FILE")

    from kiro_rs_py.cli.counting import print_count

    print_count(
        file=file,
        text=text,
        model=model,
        breakdown=breakdown,
        as_json=as_json,
        config=common.config,
        credentials=common.credentials,
    )
