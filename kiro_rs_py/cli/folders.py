"""Where this user's files are looked for. A module of its own, since ``count-tokens`` has no time for more."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from kiro_rs_py.config.files import Folders

_NAME = "kiro-rs-py"


def user_folders() -> Folders:
    """The working directory, and this user's configuration and data directories.

    platformdirs knows them on every system, but to import it takes as long as to count a request's tokens. On Linux
    without ``XDG_`` variables its answer is known without it.
    """
    home = os.environ.get("HOME", "")
    special = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "ANDROID_ROOT")
    if sys.platform == "linux" and home.startswith("/") and not any(name in os.environ for name in special):
        return Folders(Path.cwd(), Path(home, ".config", _NAME), Path(home, ".local", "share", _NAME))
    import platformdirs

    return Folders(
        Path.cwd(),
        platformdirs.user_config_path(_NAME, appauthor=False),
        platformdirs.user_data_path(_NAME, appauthor=False),
    )
