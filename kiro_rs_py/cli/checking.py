"""All that ``config check`` looks at: the settings, whether they can serve, the models, the credentials file."""

from __future__ import annotations

from dataclasses import dataclass, field

from kiro_rs_py.cli.outcome import ExitCode
from kiro_rs_py.config.access_keys import is_hashed
from kiro_rs_py.config.reader import Effective, Inputs, examine_config
from kiro_rs_py.config.serving import serving_problems
from kiro_rs_py.convert.models import catalog_from_settings
from kiro_rs_py.errors import ConfigError, CredentialFileError


@dataclass(slots=True)
class Findings:
    """What was found; ``place`` names the configuration for people."""

    place: str = "defaults and environment"
    config_problems: list[str] = field(default_factory=list)
    credential_problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> ExitCode:
        """3 before 4: with a wrong configuration it may be the wrong credentials file."""
        if self.config_problems:
            return ExitCode.BAD_CONFIG
        return ExitCode.BAD_CREDENTIALS if self.credential_problems else ExitCode.DONE


def check_all(inputs: Inputs) -> Findings:
    """Read everything ``serve`` would read, without stopping at the first problem."""
    found = Findings()
    examined = examine_config(inputs)
    found.config_problems.extend(examined.problems)
    if not examined.readable:
        return found  # all else would follow from what could not be read
    settings = examined.settings
    found.place = str(settings.path or found.place)
    found.warnings.extend(settings.warnings)
    problems, warnings = serving_problems(settings.config, wrong=examined.wrong)
    found.config_problems.extend(problems)
    found.warnings.extend(warnings)
    for name in ("api_key", "admin_api_key", "metrics_key"):
        if is_hashed(getattr(settings.config, name)):
            found.warnings.append(f"Of {name} only the hash is known: how strong it is cannot be checked.")
    try:
        catalog_from_settings(settings.config.models)
    except ConfigError as error:
        found.config_problems.extend(error.problems)
    if "credentials_path" not in examined.wrong:
        _check_credentials(settings, found)
    return found


def _check_credentials(settings: Effective, found: Findings) -> None:
    """A missing file is only a warning: the first login makes it."""
    from kiro_rs_py.serve.key_file import KeyFile
    from kiro_rs_py.upstream.store import CredentialStore

    path = settings.config.credentials_path
    try:
        KeyFile.beside(path).load()
    except CredentialFileError as error:
        found.credential_problems.append(str(error))
    try:
        stored = CredentialStore(path).load()
    except CredentialFileError as error:
        found.credential_problems.append(str(error))
        return
    problems = [f"{path}: {problem}" for problem in stored.problems]
    if stored.credentials:
        # `serve` leaves the bad ones out (PRODUCT §2).
        found.warnings.extend(f"{problem}. This account is left out." for problem in problems)
    else:
        found.credential_problems.extend(problems)
    if not stored.credentials and not stored.problems:
        found.warnings.append(f"{path} holds no account yet. `kiro-rs-py login` adds one.")
