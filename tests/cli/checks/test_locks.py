from __future__ import annotations

import json
from pathlib import Path

from kiro_rs_py.cli.checks.locks import check_locks
from kiro_rs_py.config import Config
from kiro_rs_py.upstream.credential import Credential
from kiro_rs_py.upstream.store import CredentialStore
from tests.cli.checks.settings import bad, write
from tests.upstream.test_locks import held_elsewhere

ACCOUNTS = [Credential(id=3, label="work"), Credential(id=-1)]


def config_in(folder: Path) -> Config:
    return Config(credentials_path=write(folder / "credentials.json", json.dumps([])))


def test_free_locks(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert not bad(check_locks(config, ACCOUNTS))
    assert sorted(tmp_path.iterdir()) == before


def test_one_that_is_held(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    with held_elsewhere(CredentialStore(config.credentials_path).lock_path()) as pid:
        (finding,) = bad(check_locks(config, ACCOUNTS, seconds=0.05))
    assert (finding.level, finding.topic) == ("error", "locks")
    assert f"{config.credentials_path} is locked by process {pid}" in finding.message
    assert f"`kill {pid}`" in finding.fix


def test_an_interrupted_refresh(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    CredentialStore(config.credentials_path).lock_path(3).write_text("4711\n")
    (finding,) = bad(check_locks(config, ACCOUNTS))
    assert finding.level == "warning"
    assert "#3 work was interrupted" in finding.message
    assert "refresh --id 3" in finding.fix
