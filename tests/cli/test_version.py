from __future__ import annotations

import json
import platform

from kiro_rs_py import __version__
from tests.cli.conftest import RunCli


def test_version(cli: RunCli) -> None:
    result = cli("version")
    assert result.code == 0
    assert result.out.startswith(f"kiro-rs-py {__version__} (Python {platform.python_version()}, ")
    assert json.loads(cli("version", "--json").out)["version"] == __version__
