"""StateStore: what this program remembers about accounts and the credentials file cannot carry (PRODUCT §2).

A TOML file of our own next to the credentials: statistics, automatic states with their cause, cached balances, the
load-balancing override, each account's models, what was learnt of counting tokens. Nothing in it is secret or precious:
a file that cannot be read is replaced, with a warning.
"""

from __future__ import annotations

import json
import logging
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NoReturn, TypeAlias, cast

import tomli_w
import trio

from kiro_rs_py.config.files import beside
from kiro_rs_py.convert.anthropic import JsonObject, json_object, string_in, text_in
from kiro_rs_py.convert.calibration import Calibration, Calibrations, parse_calibration
from kiro_rs_py.convert.discovered import DiscoveredModel, parse_models
from kiro_rs_py.errors import CredentialFileError
from kiro_rs_py.upstream.atomic import Stamp, make_private_folder, replace_file, stamp_of, tighten
from kiro_rs_py.upstream.beside import tasks_beside
from kiro_rs_py.upstream.credential import parse_time
from kiro_rs_py.upstream.locks import FileLock

logger = logging.getLogger(__name__)

Mode: TypeAlias = Literal["priority", "balanced"]

LOCK_SECONDS = 5.0
SAVE_SECONDS = 60.0
"""Between writes of what was learnt of counting tokens."""
_MODES: tuple[Mode, ...] = ("priority", "balanced")


@dataclass(frozen=True, slots=True)
class SavedStanding:
    """An automatic state that outlives the process: ``fingerprint`` ties it to the login it was about."""

    state: str
    cause: str
    since: datetime
    until: datetime | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """Statistics and state of one account."""

    success_count: int = 0
    failure_count: int = 0
    last_used_at: datetime | None = None
    standing: SavedStanding | None = None


@dataclass(frozen=True, slots=True)
class CachedBalance:
    """A balance as it was shown, JSON, and when it was fetched."""

    cached_at: datetime
    data: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ListedModels:
    """The models an account was told of, and when."""

    listed_at: datetime
    models: tuple[DiscoveredModel, ...]


@dataclass(slots=True)
class State:
    """The content of the file; changed in place by the function given to :meth:`StateStore.update`."""

    accounts: dict[int, AccountRecord] = field(default_factory=dict)
    balances: dict[int, CachedBalance] = field(default_factory=dict)
    models: dict[int, ListedModels] = field(default_factory=dict)
    calibrations: dict[str, Calibration] = field(default_factory=dict)
    """By upstream model id."""
    load_balancing_mode: Mode | None = None
    statistics_imported: bool = False

    def record(self, credential_id: int) -> AccountRecord:
        """The record of an account, empty if there is none."""
        return self.accounts.get(credential_id, AccountRecord())

    def forget(self, credential_id: int) -> None:
        """Remove everything about an account."""
        self.accounts.pop(credential_id, None)
        self.balances.pop(credential_id, None)
        self.models.pop(credential_id, None)

    def add_uses(self, credential_id: int, successes: int, failures: int, last_used_at: datetime | None) -> None:
        """Add to the counters, so that two servers on one file both count."""
        record = self.record(credential_id)
        times = [time for time in (record.last_used_at, last_used_at) if time is not None]
        self.accounts[credential_id] = replace(
            record,
            success_count=record.success_count + successes,
            failure_count=record.failure_count + failures,
            last_used_at=max(times, default=None),
        )


class StateStore:
    """The file and its lock."""

    def __init__(self, path: Path, *, lock_seconds: float = LOCK_SECONDS) -> None:
        self.path = path
        self._lock_seconds = lock_seconds

    @classmethod
    def beside(cls, credentials_path: Path) -> StateStore:
        """``credentials.json`` → ``credentials.state.toml`` in the same folder."""
        return cls(beside(credentials_path, "state"))

    def load(self) -> State:
        """Read; blocking. Never raises: what cannot be read is empty, after a warning.

        kiro-rs's ``kiro_stats.json`` in the same folder is taken over once, by the first update (operations §3.8).
        """
        state = _read(self.path)
        if not state.statistics_imported:
            _import_statistics(state, self.path.with_name("kiro_stats.json"))
            state.statistics_imported = True
        return state

    def update_now(self, change: Callable[[State], None]) -> State:
        """Read, change, write under the lock; blocking. Raises CredentialFileError when that is impossible."""
        lock = FileLock(self.path.with_name(f".{self.path.name}.lock"))
        try:
            make_private_folder(self.path.parent)
            if not lock.acquire(self._lock_seconds):
                raise CredentialFileError(
                    f"{self.path} has been locked by another process for {self._lock_seconds:.0f} seconds."
                )
            state = self.load()
            change(state)
            replace_file(self.path, tomli_w.dumps(_to_toml(state)).encode())
        except OSError as error:
            raise CredentialFileError(f"{self.path} cannot be written: {error.strerror or error}.") from error
        finally:
            lock.release()
        return state

    async def stamp(self) -> Stamp | None:
        """The file's present state, None while there is none."""
        return await trio.to_thread.run_sync(stamp_of, self.path)

    async def read(self) -> State:
        """:meth:`load` in a thread."""
        return await trio.to_thread.run_sync(self.load)

    async def update(self, change: Callable[[State], None]) -> State:
        """:meth:`update_now` in a thread."""
        return await trio.to_thread.run_sync(self.update_now, change, abandon_on_cancel=False)


# --- what was learnt of counting tokens (:mod:`kiro_rs_py.convert.calibration`) -----------------------------------


@asynccontextmanager
async def open_calibrations(state: StateStore, *, seconds: float = SAVE_SECONDS) -> AsyncIterator[Calibrations]:
    """Those of the state file; what is learnt inside the block is saved now and then, and on leaving it."""
    calibrations = Calibrations((await state.read()).calibrations)
    try:
        async with tasks_beside() as nursery:
            nursery.start_soon(_save_often, calibrations, state, seconds)
            yield calibrations
    finally:
        with trio.CancelScope(shield=True):
            await save_calibrations(calibrations, state)


async def save_calibrations(calibrations: Calibrations, state: StateStore) -> None:
    """Write what has changed; what cannot be written is tried again the next time."""
    changed = frozenset(calibrations.changed)
    if not changed:
        return
    calibrations.changed -= changed
    news = {upstream_id: calibrations.of(upstream_id) for upstream_id in changed}

    def change(state: State) -> None:
        state.calibrations |= news

    try:
        await state.update(change)
    except CredentialFileError as error:
        calibrations.changed |= changed
        logger.warning("what was learnt of counting tokens is kept in memory for now: %s", error)


async def _save_often(calibrations: Calibrations, state: StateStore, seconds: float) -> NoReturn:
    while True:
        await trio.sleep(seconds)
        await save_calibrations(calibrations, state)


# --- TOML -------------------------------------------------------------------------------------------------------


def _read(path: Path) -> State:
    for candidate in (path, path.with_name(f"{path.name}.bak")):
        try:
            tighten(candidate)
            return _from_toml(tomllib.loads(candidate.read_text("utf-8")))
        except FileNotFoundError:
            if candidate == path:
                return State()
        except (OSError, ValueError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
            logger.warning("%s cannot be read (%s).", candidate, type(error).__name__)
    return State()


def _from_toml(document: Mapping[str, object]) -> State:
    mode = document.get("load_balancing_mode")
    state = State(
        load_balancing_mode=mode if mode in _MODES else None,
        statistics_imported=document.get("statistics_imported") is True,
    )
    for credential_id, table in _tables(document.get("accounts")):
        state.accounts[credential_id] = AccountRecord(
            success_count=_count(table.get("success_count")),
            failure_count=_count(table.get("failure_count")),
            last_used_at=_time(table.get("last_used_at")),
            standing=_standing(table),
        )
    for credential_id, cached_at, data in _dated(document.get("balances"), "cached_at"):
        state.balances[credential_id] = CachedBalance(cached_at, data)
    for credential_id, listed_at, data in _dated(document.get("models"), "listed_at"):
        state.models[credential_id] = ListedModels(listed_at, parse_models(data.get("models")))
    state.calibrations = _calibrations(document.get("calibrations"))
    return state


def _calibrations(value: object) -> dict[str, Calibration]:
    if not isinstance(value, dict):
        return {}
    parsed = {str(model): parse_calibration(table) for model, table in value.items()}
    return {model: calibration for model, calibration in parsed.items() if calibration is not None}


def _tables(value: object) -> list[tuple[int, Mapping[str, object]]]:
    if not isinstance(value, dict):
        return []
    return [(int(key), table) for key, table in value.items() if _is_number(key) and isinstance(table, dict)]


def _dated(tables: object, when: str) -> Iterator[tuple[int, datetime, JsonObject]]:
    """TOML knows no null, and a balance is full of them: it is kept as JSON text."""
    for credential_id, table in _tables(tables):
        moment, data = _time(table.get(when)), json_object(string_in(table, "data"))
        if moment is not None and data is not None:
            yield credential_id, moment, data


def _is_number(key: str) -> bool:
    return key.isascii() and key.removeprefix("-").isdigit()


def _standing(table: Mapping[str, object]) -> SavedStanding | None:
    state, since = string_in(table, "state"), _time(table.get("since"))
    if not state or since is None:
        return None
    until, fingerprint = _time(table.get("until")), text_in(table, "fingerprint")
    return SavedStanding(state, string_in(table, "cause"), since, until, fingerprint)


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def _time(value: object) -> datetime | None:
    if not isinstance(value, datetime):
        return None
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def _to_toml(state: State) -> dict[str, object]:
    document: dict[str, object] = {"statistics_imported": state.statistics_imported}
    if state.load_balancing_mode is not None:
        document["load_balancing_mode"] = state.load_balancing_mode
    document["accounts"] = {str(key): _record_to_toml(record) for key, record in sorted(state.accounts.items())}
    document["balances"] = {
        str(key): {"cached_at": balance.cached_at, "data": json.dumps(balance.data)}
        for key, balance in sorted(state.balances.items())
    }
    document["models"] = {
        str(key): {"listed_at": listed.listed_at, "data": _models_text(listed)}
        for key, listed in sorted(state.models.items())
    }
    document["calibrations"] = {key: value.to_json() for key, value in sorted(state.calibrations.items())}
    return document


def _models_text(listed: ListedModels) -> str:
    return json.dumps({"models": [model.to_json() for model in listed.models]})


def _record_to_toml(record: AccountRecord) -> dict[str, object]:
    table: dict[str, object | None] = {
        "success_count": record.success_count,
        "failure_count": record.failure_count,
        "last_used_at": record.last_used_at,
    }
    if record.standing is not None:
        table |= asdict(record.standing)
    return {name: value for name, value in table.items() if value is not None}


def _import_statistics(state: State, path: Path) -> None:
    """kiro-rs's counters, keyed by decimal id (operations §3.8)."""
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return
    except (OSError, ValueError, RecursionError) as error:
        logger.warning("%s cannot be read (%s); its statistics are not taken over.", path, type(error).__name__)
        return
    for credential_id, table in _tables(document):
        used_at = parse_time(cast("str | None", table.get("last_used_at")))
        state.add_uses(credential_id, _count(table.get("success_count")), 0, used_at)
