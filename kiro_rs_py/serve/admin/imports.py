"""Importing many accounts: a job on the server, so that a page may be closed (operations §5.8)."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import trio

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.errors import KiroError
from kiro_rs_py.serve.admin.enrolling import Enrolling
from kiro_rs_py.serve.admin.events import Hub
from kiro_rs_py.serve.admin.house import House
from kiro_rs_py.serve.admin.refusals import BUG, Refusal, invalid, refusal_of, too_many
from kiro_rs_py.upstream.sources import Found, read_text

logger = logging.getLogger(__name__)

State: TypeAlias = Literal["running", "done", "cancelled"]
Outcome: TypeAlias = Literal["added", "replaced", "duplicate", "invalid", "failed"]

MOST_BYTES = 8 * 2**20
MOST_ENTRIES = 2000
MOST_RUNNING = 3
MOST_JOBS = 20
KEPT_SECONDS = 600.0


@dataclass(slots=True, eq=False)
class Import:
    """One import; the entries, which hold tokens, are forgotten one by one."""

    id: str
    total: int
    state: State = "running"
    results: list[Json] = field(default_factory=list)
    ended: float | None = None
    cancelled: bool = False
    trying: trio.CancelScope = field(default_factory=trio.CancelScope)
    """Around the trial of the present entry."""

    def to_json(self) -> JsonObject:
        return {
            "id": self.id,
            "state": self.state,
            "total": self.total,
            "done": len(self.results),
            "results": list(self.results),
        }


class Imports:
    """All of them. ``spawn`` starts a task that lives as long as the server."""

    def __init__(self, house: House, enrolling: Enrolling, hub: Hub, spawn: Callable[..., None]) -> None:
        self._house = house
        self._enrolling = enrolling
        self._hub = hub
        self._spawn = spawn
        self._imports: dict[str, Import] = {}
        self._news: set[str] = set()

    async def start(self, text: str, *, verify: bool) -> Import:
        """Read ``text``, of any format that is known, and begin. Raises UnusableSource, Refusal (400, 429)."""
        self.purge()
        if sum(job.state == "running" for job in self._imports.values()) >= MOST_RUNNING:
            raise too_many("too_many_imports", f"{MOST_RUNNING} imports are running already.", 10.0)
        found = await trio.to_thread.run_sync(read_text, text)
        total = len(found.entries) + len(found.skipped)
        if total > MOST_ENTRIES:
            raise invalid("too_many_entries", f"More than {MOST_ENTRIES} accounts. Import them in parts.", field="text")
        job = Import(secrets.token_urlsafe(16), total)
        self._imports[job.id] = job
        self._spawn(self._run, job, found, verify)
        return job

    def get(self, import_id: str) -> Import:
        """Raises Refusal (404)."""
        self.purge()
        job = self._imports.get(import_id)
        if job is None:
            raise Refusal(404, "not_found", "import_not_found", "There is no such import, or it ended long ago.")
        return job

    def cancel(self, import_id: str) -> None:
        """Stop; what has been added stays, and what is half tried out stays too, since its tokens may be new."""
        job = self.get(import_id)
        job.cancelled = True
        job.trying.cancel()

    def purge(self) -> None:
        now = self._house.clock()
        over = [job for job in self._imports.values() if job.ended is not None]
        spare = len(self._imports) - MOST_JOBS
        for number, job in enumerate(over):
            if number < spare or now - (job.ended or now) > KEPT_SECONDS:
                del self._imports[job.id]

    def tell_news(self) -> None:
        """Publish the imports that have moved since the last time; results come too fast to publish each."""
        for import_id in self._news:
            if import_id in self._imports:
                self._hub.publish("import", self._imports[import_id].to_json())
        self._news.clear()

    # --- one import ---

    async def _run(self, job: Import, found: Found, verify: bool) -> None:
        entries = list(reversed(found.entries))
        while entries and not job.cancelled:
            job.results.append(await self._import(job, entries.pop(), verify))
            self._news.add(job.id)
        for sentence in () if job.cancelled else found.skipped:
            job.results.append(_result(len(job.results), None, "invalid", message=sentence))
        job.state = "cancelled" if job.cancelled else "done"
        job.ended = self._house.clock()
        self._news.discard(job.id)
        self._hub.publish("import", job.to_json())
        logger.info("import: %s, %d of %d entries", job.state, len(job.results), job.total)

    async def _import(self, job: Import, entry: JsonObject, verify: bool) -> JsonObject:
        index, name = len(job.results), _name(entry)
        try:
            credential_id = await self._enrolling.keep(entry)
            if not verify:
                return _result(index, name, "added", credential_id)
            job.trying = trio.CancelScope()
            with job.trying:
                added = await self._enrolling.verify(credential_id)
                outcome: Outcome = "replaced" if added.replaced else "added"
                doubts = " ".join(added.doubts) or None
                return _result(index, added.credential.email or name, outcome, added.credential.id, doubts)
            return _result(index, name, "added", credential_id, "It was not tried out: the import was cancelled.")
        except (KiroError, Refusal) as error:
            return _failure(index, name, refusal_of(error) or BUG)
        except Exception:
            # A bug with one entry must not take the server down, nor the other entries.
            logger.exception("an entry could not be imported")
            return _failure(index, name, BUG)


def _name(entry: JsonObject) -> str | None:
    """What an entry calls itself."""
    for member in ("label", "email"):
        value = entry.get(member)
        if isinstance(value, str) and value.strip():
            return value.strip()[:100]
    return None


def _failure(index: int, name: str | None, refusal: Refusal) -> JsonObject:
    outcome: Outcome = "invalid" if refusal.status == 400 else "failed"
    if refusal.code == "duplicate_account":
        outcome = "duplicate"
    return _result(index, name, outcome, message=refusal.message)


def _result(
    index: int,
    name: str | None,
    outcome: Outcome,
    credential_id: int | None = None,
    message: str | None = None,
) -> JsonObject:
    body: JsonObject = {"index": index, "name": name or f"entry {index + 1}", "outcome": outcome}
    if credential_id is not None:
        body["credentialId"] = credential_id
    if message is not None:
        body["message"] = message
    return body
