"""``KIRO_API_KEY``: an account that comes with the environment and lives in memory only (operations §11.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kiro_rs_py.upstream.credential import Credential

KEY_VARIABLE = "KIRO_API_KEY"


def environment_accounts(environ: Mapping[str, str]) -> tuple[Credential, ...]:
    """The account in :data:`KEY_VARIABLE`, or none; a variable that is set but empty counts as unset.

    Raises ConfigError, which does not repeat it, for something that is no API key.
    """
    key = environ.get(KEY_VARIABLE, "").strip()
    if not key:
        return ()
    from kiro_rs_py.errors import ConfigError
    from kiro_rs_py.upstream.credential import Credential
    from kiro_rs_py.upstream.sources import API_KEY

    if not API_KEY.fullmatch(key):
        raise ConfigError([f"{KEY_VARIABLE} is no API key of Kiro; those begin with ksk_. Correct or unset it."])
    return (Credential(id=-1, auth_method="api_key", kiro_api_key=key, label=KEY_VARIABLE),)
