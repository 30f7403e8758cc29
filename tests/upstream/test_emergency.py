"""Tokens that the credentials file does not take: kept elsewhere, and found there again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kiro_rs_py.errors import CredentialFileError
from kiro_rs_py.upstream.credential import Credential, fingerprint
from kiro_rs_py.upstream.emergency import EmergencyCopies, EmergencyCopy
from kiro_rs_py.upstream.sources import read_text
from tests.upstream.children import run_unprivileged
from tests.upstream.pool_parts import make_credential, token


def copies_in(*folders: Path) -> EmergencyCopies:
    return EmergencyCopies(Path("credentials.json"), folders)


def make_copy(number: int, *spent: int) -> EmergencyCopy:
    return EmergencyCopy(credential(number), tuple(fingerprint(token(f"1.{old}")) for old in spent))


def credential(number: int) -> Credential:
    return make_credential(1, refresh_token=token(f"1.{number}"), label="x")


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    place = copies_in(tmp_path / "a").keep(make_copy(1, 0))
    assert (place.stat().st_mode & 0o777, place.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    (found,) = copies_in(tmp_path / "a").load()
    assert (found.credential, found.replaces, found.place) == (credential(1), make_copy(1, 0).replaces, place)
    assert EmergencyCopies(Path("other.json"), [tmp_path / "a"]).load() == []
    assert token("1.1") not in repr(found)


def test_the_newest_copy_of_an_account_replaces_the_older_ones(tmp_path: Path) -> None:
    copies = copies_in(tmp_path)
    other = EmergencyCopy(make_credential(2), ("x",))
    for copy in (make_copy(1, 0), other, make_copy(2, 0, 1)):
        copies.keep(copy)
    assert [copy.fingerprint for copy in copies.load()] == [other.fingerprint, make_copy(2).fingerprint]


def test_the_next_folder_is_taken_if_the_first_refuses(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    copies = copies_in(tmp_path / "a", tmp_path / "b")
    assert copies.keep(make_copy(1, 0)).parent == tmp_path / "b"
    assert len(copies.load()) == 1
    with pytest.raises(CredentialFileError, match="no other place"):
        copies_in(tmp_path / "a").keep(make_copy(1, 0))


def test_what_is_saved_is_dropped(tmp_path: Path) -> None:
    copies = copies_in(tmp_path, tmp_path / "nothing here")
    place = copies.keep(make_copy(1, 0))
    copies.drop(["somebody else's"])
    assert len(copies.load()) == 1
    copies.drop([make_copy(1).fingerprint])
    assert copies.load() == []
    assert not place.exists()


@pytest.mark.parametrize("text", ["", "{", "{}", "[1]", '[{"refreshToken": 5}]', '[{"replaces": ["x"]}]'])
def test_what_is_no_copy_is_left_out(text: str, tmp_path: Path) -> None:
    copies = copies_in(tmp_path)
    copies.keep(make_copy(1, 0)).write_text(text)
    assert copies.load() == []
    copies.keep(make_copy(1, 0))
    assert len(copies.load()) == 1


@pytest.mark.parametrize("link", [lambda path: path, lambda path: path.parent])
def test_a_link_that_somebody_else_may_have_laid_is_not_followed(link: Callable[[Path], Path], tmp_path: Path) -> None:
    copies = copies_in(tmp_path / "a")
    mine = link(copies.keep(make_copy(1, 0)))
    mine.symlink_to(mine.rename(tmp_path / "moved"))
    assert copies.load() == []


def test_import_token_can_read_it(tmp_path: Path) -> None:
    text = copies_in(tmp_path).keep(make_copy(1, 0)).read_text()
    assert read_text(text).entries[0]["refreshToken"] == token("1.1")


# --- the whole of it, with real permissions ----------------------------------------------------------------------

UNWRITABLE = """
import json, sys, logging
from pathlib import Path
import trio
from kiro_rs_py.config import Config
from kiro_rs_py.simulator.accounts import Account
from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.server import open_simulator
from kiro_rs_py.upstream.http import HttpClients
from kiro_rs_py.upstream.pool import open_pool
from kiro_rs_py.upstream.refresh import Refresher
from kiro_rs_py.upstream.state import StateStore
from kiro_rs_py.upstream.store import CredentialStore
from kiro_rs_py.upstream.rotation import Timings

folder = Path(sys.argv[1])
simulator = Simulator(accounts=[Account(name="one"), Account(name="two", method="idc", provider="BuilderId")])
seen = {}

def prepare(path):
    path.parent.mkdir()
    entries = [simulator.credential_json(name, expired=True) for name in ("one", "two")]
    path.write_text(json.dumps(entries))
    simulator.grants.refreshes.clear()
    seen.update(ids=[], errors=[])

async def use(url, path, *, background):
    config = Config(upstream_url=url, credentials_path=path)
    http = HttpClients(config)
    store = CredentialStore(path, emergency_folders=[folder / "elsewhere"])
    service = Refresher(http, config)
    timings = Timings(settled=0.0, watch=0.05)
    async with open_pool(
        config, store, StateStore.beside(path), service, timings=timings, background=background
    ) as pool:
        for _ in range(3):
            ids = [status.id for status in pool.snapshot()]
            seen["ids"].append(ids)
            for number in ids:
                try:
                    await pool.lease("m", only=number)
                except Exception as error:
                    seen["errors"].append(type(error).__name__)
            await pool.reload()

async def main():
    async with open_simulator(simulator) as running:
        # Once with all rights, so that nothing is left to be imported afterwards.
        prepare(folder / "before" / "credentials.json")
        await use(running.url, folder / "before" / "credentials.json", background=True)
        drop()
        path = folder / "data" / "credentials.json"
        prepare(path)
        path.chmod(0o400)
        path.parent.chmod(0o500)
        await use(running.url, path, background=False)
        seen["of commands"] = len(simulator.grants.refreshes)
        await use(running.url, path, background=True)
        await use(running.url, path, background=True)
        await use(running.url, path, background=False)
        path.parent.chmod(0o700)
        path.chmod(0o600)
        seen["copies"] = len(json.loads(next((folder / "elsewhere").glob("*.json")).read_text()))
        await use(running.url, path, background=False)
    seen["copies left"] = len(list((folder / "elsewhere").glob("*.json")))
    seen["refreshes"] = [refresh.outcome for refresh in simulator.grants.refreshes]
    live = {refresh.issued for refresh in simulator.grants.refreshes}
    seen["saved"] = [entry["refreshToken"] in live for entry in json.loads(path.read_text())]

logging.disable(logging.CRITICAL)
trio.run(main)
print(json.dumps(seen))
"""


def test_a_file_that_cannot_be_written_and_has_no_ids(tmp_path: Path) -> None:
    """Accounts stay the same however often the file is read; none is asked for twice, and a restart loses none."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    seen = run_unprivileged(UNWRITABLE, tmp_path)
    assert isinstance(seen, dict), json.dumps(seen)
    assert seen["of commands"] == 0  # which end too soon to keep a new token in memory
    assert set(seen["errors"]) == {"NoUsableCredential"}
    assert len(seen["errors"]) == 6
    assert seen["ids"] == [[1, 2]] * 15
    assert seen["refreshes"] == ["rotated", "rotated"]
    assert (seen["copies"], seen["copies left"]) == (2, 0)
    assert seen["saved"] == [True, True]
