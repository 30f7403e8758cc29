"""The credentials file as a document: parsed once, patched member by member, written back as the user had it.

Both shapes of kiro-rs are read (operations §3.2): one object, or a list of them. Unknown members, order, indentation,
line ends and entries that cannot be used survive every write. Pure: text in, text out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, TypeVar

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.errors import CredentialFileError
from kiro_rs_py.upstream.credential import MEMBERS, BadField, Credential, entry_of, parse_credential

Shape: TypeAlias = Literal["list", "object", "blank", "missing"]
Origin: TypeAlias = Literal["object", "object with id"]
"""What a list was, before an account was added to a single object."""

_Key = TypeVar("_Key", int, str)
_SNAKE = {member: name for name, member in MEMBERS.items()}


class UnknownCredential(LookupError):
    """The document has no (usable) entry of this id."""


@dataclass(frozen=True, slots=True)
class EntryProblem:
    """Why the entry at ``index`` (from 0) is left out; ``field`` as the file spells it, empty for the whole entry."""

    index: int
    field: str
    problem: str

    def __str__(self) -> str:
        return f"entry {self.index + 1}: {self.field} {self.problem}".replace(":  ", ": ")


@dataclass(frozen=True, slots=True)
class StoredCredentials:
    """What a file holds: usable entries in file order, the problems of the others."""

    credentials: tuple[Credential, ...] = ()
    problems: tuple[EntryProblem, ...] = ()
    shape: Shape = "list"
    incomplete: bool = False
    """Some entry has no id in the file yet; the next update writes it."""

    def get(self, credential_id: int) -> Credential | None:
        """The usable entry of this id, or None."""
        return next((item for item in self.credentials if item.id == credential_id), None)


class CredentialDocument:
    """A credentials file in memory.

    ``changed`` tells whether writing is needed; ``last_id`` is the highest id ever given out, so that an id is never
    used again after its account is gone (its statistics would come back to life). ``origin`` lets a file become a
    single object again: an account that logs in anew is added, recognised, and taken out again.
    """

    def __init__(
        self,
        text: str | None,
        *,
        name: str = "credentials.json",
        last_id: int = 0,
        origin: Origin | None = None,
        given: Mapping[str, int] | None = None,
    ) -> None:
        """Parse ``text`` (None: no such file). Raises CredentialFileError for anything but the two shapes.

        ``given`` are ids by fingerprint that entries without one had at the last reading, and are to keep.
        """
        self.changed = False
        self.origin = origin
        self.given = dict(given or {})
        self._style = _Style.of(text or "")
        self.shape, self._entries = _parse(text, name)
        written = [_written_id(entry) for entry in self._entries]
        self.last_id = max(last_id, *(number or 0 for number in written), 0)
        self._credentials, self._problems = self._read_entries()

    # --- reading ---

    def stored(self) -> StoredCredentials:
        """The content as values."""
        return StoredCredentials(
            credentials=tuple(self._credentials[index] for index in sorted(self._credentials)),
            problems=tuple(self._problems),
            shape=self.shape,
            incomplete=self.shape == "list" and any(_written_id(self._entries[i]) is None for i in self._credentials),
        )

    def get(self, credential_id: int) -> Credential:
        """Raises UnknownCredential."""
        return self._credentials[self._index(credential_id)]

    def entry(self, credential_id: int) -> JsonObject:
        """A copy of one entry as it is written, unknown members included, and with its id. Raises UnknownCredential."""
        written = self._entries[self._index(credential_id)]
        assert isinstance(written, dict)
        return {"id": credential_id, **deepcopy(written)}

    def to_text(self) -> str:
        """The whole document in the style it was read in."""
        value: Json = self._entries[0] if self.shape == "object" else list(self._entries)
        return self._style.dump(value)

    # --- changing ---

    def patch(self, credential_id: int, changes: Mapping[str, Json]) -> Credential:
        """Set the named members (camelCase) of one entry, remove those that are None. Raises UnknownCredential."""
        index = self._index(credential_id)
        entry = self._entries[index]
        assert isinstance(entry, dict)
        for member, value in changes.items():
            self._set(entry, member, value)
        self._credentials[index] = replace(parse_credential(entry), id=credential_id)
        return self._credentials[index]

    def add(self, credential: Credential) -> Credential:
        """Append an entry, with an id of its own; a single object becomes a list of two. Returns it with its id."""
        self.complete_ids()
        if self.shape == "object":
            self.origin = "object with id" if _written_id(self._entries[0]) else "object"
            self.shape = "list"
            self.complete_ids()
        self.shape = "list"
        self.last_id += 1
        added = replace(credential, id=self.last_id)
        self._entries.append(entry_of(added))
        self._credentials[len(self._entries) - 1] = added
        self.changed = True
        return added

    def remove(self, credential_id: int) -> Credential:
        """Take one entry out; removing the only object leaves an empty list. Raises UnknownCredential."""
        index = self._index(credential_id)
        removed = self._credentials[index]
        self.complete_ids()
        del self._entries[index]
        self.shape = "list"
        self.changed = True
        self._fold_back()
        self._credentials, self._problems = self._read_entries()
        return removed

    def _fold_back(self) -> None:
        """Make a list of one the single object that it was."""
        if len(self._entries) > 1:
            return
        match self._entries:
            case [dict() as entry] if self.origin is not None:
                self.shape = "object"
                # Without an id a single object is number 1 (see below).
                if self.origin == "object" and entry.get("id") == 1:
                    del entry["id"]
        self.origin = None

    def put_back(self, entry: JsonObject) -> Credential:
        """Append an entry that was taken out, as :meth:`entry` gave it, under its old id.

        Raises BadField if it cannot stand beside the others any more: its login or id is in use.
        """
        self.complete_ids()
        self._entries.append(deepcopy(entry))
        credentials, problems = self._read_entries()
        place = len(self._entries) - 1
        for problem in problems:
            if problem.index == place:
                del self._entries[place]
                raise BadField(problem.field, problem.problem)
        self.shape = "list"
        self.changed = True
        self._credentials, self._problems = credentials, problems
        return credentials[place]

    def complete_ids(self) -> None:
        """Write the ids that were given out on reading into the entries of a list; a single object stays as it is."""
        if self.shape != "list":
            return
        for index, credential in self._credentials.items():
            entry = self._entries[index]
            if isinstance(entry, dict) and _written_id(entry) is None:
                members = {name: value for name, value in entry.items() if name != "id"}
                entry.clear()
                entry["id"] = credential.id
                entry.update(members)
                self.changed = True

    def _set(self, entry: JsonObject, member: str, value: Json) -> None:
        snake = _SNAKE.get(member, member)
        spelling = snake if member not in entry and (snake in entry or _writes_snake_case(entry)) else member
        if value is None:
            for name in {member, snake} & entry.keys():
                del entry[name]
                self.changed = True
        elif entry.get(spelling) != value or isinstance(entry[spelling], bool) != isinstance(value, bool):
            entry[spelling] = value
            self.changed = True

    def _index(self, credential_id: int) -> int:
        for index, credential in self._credentials.items():
            if credential.id == credential_id:
                return index
        raise UnknownCredential(credential_id)

    def _read_entries(self) -> tuple[dict[int, Credential], list[EntryProblem]]:
        usable: dict[int, Credential] = {}
        problems: list[EntryProblem] = []
        ids: dict[int, int] = {}
        logins: dict[str, int] = {}
        for index, entry in enumerate(self._entries):
            try:
                credential = parse_credential(entry)
                _refuse_twin(ids, credential.id or None, index, "id")
                _refuse_twin(logins, credential.fingerprint, index, "refreshToken")
            except BadField as problem:
                problems.append(EntryProblem(index, problem.name, problem.problem))
            else:
                usable[index] = credential
        self._number(usable, taken=ids.keys())
        return usable, problems

    def _number(self, usable: dict[int, Credential], *, taken: Collection[int]) -> None:
        # As kiro-rs numbers them: preferred ones first (operations §3.4), so that its statistics keep their owners.
        bare = sorted((i for i, credential in usable.items() if credential.id == 0), key=lambda i: usable[i].priority)
        marks = {index: usable[index].fingerprint or "" for index in bare}
        kept = {mark: self.given[mark] for mark in marks.values() if self.given.get(mark) not in (None, *taken)}
        self.last_id = max(self.last_id, *kept.values(), 0)
        self.given = {}
        for index in bare:
            # A single object keeps no id in the file, so it must get the same one each time.
            number = 1 if self.shape == "object" else kept.get(marks[index], self.last_id + 1)
            self.last_id = max(self.last_id, number)
            usable[index] = replace(usable[index], id=number)
            if marks[index]:
                self.given[marks[index]] = number


def _refuse_twin(seen: dict[_Key, int], key: _Key | None, index: int, member: str) -> None:
    """Two entries with one login would rotate each other's token away; two with one id cannot be told apart."""
    if key is None:
        return
    first = seen.setdefault(key, index)
    if first != index:
        raise BadField(member, f"is the same as in entry {first + 1}")


def _written_id(entry: Json) -> int | None:
    number = entry.get("id") if isinstance(entry, dict) else None
    return number if isinstance(number, int) and not isinstance(number, bool) and number > 0 else None


def _writes_snake_case(entry: JsonObject) -> bool:
    compound = [(member, name) for name, member in MEMBERS.items() if member != name]
    return any(name in entry for _, name in compound) and not any(member in entry for member, _ in compound)


def _parse(text: str | None, name: str) -> tuple[Shape, list[Json]]:
    if text is None:
        return "missing", []
    if not text.strip():
        return "blank", []
    try:
        document: Json = json.loads(text)
    except json.JSONDecodeError as error:
        raise CredentialFileError(
            f"{name} is not valid JSON: {error.msg} in line {error.lineno}, column {error.colno}. "
            f"Correct it, or copy {name}.bak over it if there is one."
        ) from None  # the cause would carry the whole text, secrets included
    except RecursionError:
        raise CredentialFileError(f"{name} is nested too deeply to be a credentials file.") from None
    except ValueError:  # Python reads no number of more than 4,300 digits
        raise CredentialFileError(
            f"{name} holds a number that is too long. Correct it, or copy {name}.bak over it if there is one."
        ) from None
    if isinstance(document, list):
        return "list", document
    if isinstance(document, dict) and isinstance(document.get("accounts"), list):
        raise CredentialFileError(f"{name} is another tool's export. Bring it in with 'kiro-rs-py import-token'.")
    if isinstance(document, dict):
        return "object", [document]
    raise CredentialFileError(f"{name} must hold one JSON object or a list of them.")


@dataclass(frozen=True, slots=True)
class _Style:
    """How the text was laid out."""

    indent: str | None = "  "  # kiro-rs writes two spaces (operations §3.7)
    separator: str = ": "
    ascii_only: bool = False
    newline: str = "\n"
    tail: str = "\n"

    @classmethod
    def of(cls, text: str) -> _Style:
        if not text.strip():
            return cls()
        indent = re.search(r"\n([ \t]+)\S", text)
        lines = "\n" in text.strip()
        return cls(
            indent=indent[1] if indent else ("" if lines else None),
            separator=": " if re.search(r'":\s', text) else ":",
            ascii_only=text.isascii() and "\\u" in text,
            newline="\r\n" if "\r\n" in text else "\n",
            tail="\n" if text.endswith("\n") else "",
        )

    def dump(self, value: Json) -> str:
        separators = ("," if self.indent is not None or self.separator == ":" else ", ", self.separator)
        text = json.dumps(value, indent=self.indent, separators=separators, ensure_ascii=self.ascii_only)
        try:
            text.encode()
        except UnicodeEncodeError:  # half of a surrogate pair, which only an escape can carry
            text = json.dumps(value, indent=self.indent, separators=separators)
        return (text + self.tail).replace("\n", self.newline)
