"""``login``: sign in from a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kiro_rs_py.cli.options import ConfigOption, CredentialsOption, JsonOption, LogFormatOption, LogLevelOption
from kiro_rs_py.cli.outcome import warn
from kiro_rs_py.cli.shared import account_config, common_of
from kiro_rs_py.cli.terminal import print_json
from kiro_rs_py.cli.wording import login_of, name_of, printable

if TYPE_CHECKING:
    from kiro_rs_py.upstream.enrolment import Enrolled

Provider = Literal["builder-id", "idc", "google", "github"]


def login(
    provider: Annotated[Provider, typer.Option("--provider", help="Where your account signs in.")] = "builder-id",
    start_url: Annotated[
        str | None,
        typer.Option("--start-url", metavar="URL", help="With idc: your organisation's start URL.", show_default=False),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option("--region", help="With idc: the region of your organisation's sign-in.", show_default=False),
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    credentials: CredentialsOption = None,
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Log an account in and store its tokens.

    Shows an address and a code; confirm them in a browser on any machine. With google and github the browser comes
    back to this machine; if it runs on another one, paste the address it ends at. Logging in again with the same
    account replaces its tokens.

    \b
    Examples:
      kiro-rs-py login
      kiro-rs-py login --provider google
      kiro-rs-py login --provider idc --start-url
        https://d-1234567890.awsapps.com/start --region eu-central-1
    """
    _check_options(provider, start_url, region)

    from kiro_rs_py.cli.login_flow import log_in
    from kiro_rs_py.cli.login_screen import Screen
    from kiro_rs_py.cli.session import Session, run_command

    settings = account_config(common_of(config, credentials, log_level, log_format))

    async def work() -> Enrolled:
        screen = Screen(browser=not no_browser)
        return await log_in(Session(settings), screen, provider, start_url=start_url, region=region)

    _tell(run_command(work), as_json=as_json)


def _check_options(provider: Provider, start_url: str | None, region: str | None) -> None:
    """Identity Center needs a start URL; the others have no use for one, nor for a region."""
    if (start_url is not None) != (provider == "idc"):
        problem = "is needed with --provider idc; your administrator knows it." if provider == "idc" else None
        raise typer.BadParameter(f"--start-url {problem or 'goes with --provider idc only.'}", param_hint="--start-url")
    if region is not None and provider != "idc":
        raise typer.BadParameter("--region goes with --provider idc only.", param_hint="--region")


def _tell(enrolled: Enrolled, *, as_json: bool) -> None:
    """One line on stdout, doubts on stderr."""
    credential = enrolled.credential
    warn(enrolled.doubts)
    if credential.disabled:
        warn([f"The account is disabled. `kiro-rs-py accounts enable {credential.id}` uses it again."])
    if as_json:
        print_json(
            {
                "id": credential.id,
                "email": credential.email,
                "subscriptionTitle": credential.subscription_title,
                "authMethod": credential.auth_method,
                "provider": credential.provider,
                "replaced": enrolled.replaced,
            }
        )
        return
    plan = f", {printable(credential.subscription_title)}" if credential.subscription_title else ""
    done = "logged in again, its tokens are replaced" if enrolled.replaced else f"logged in with {login_of(credential)}"
    print(f"{name_of(credential)}{plan}: {done}")
