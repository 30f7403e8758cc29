"""Which model a name means: names, upstream ids, windows, and the entries of ``GET /v1/models``.

What is known of the models stands in tables (request-conversion §2, upstream-protocol §1.11, field-notes §2); the code
below them only takes names apart. Kiro's service knows more ids than any table: :meth:`ModelCatalog.with_discovered`
adds what an account was told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import cast

from kiro_rs_py.convert.discovered import LARGEST_NUMBER, DiscoveredModel
from kiro_rs_py.convert.native_thinking import NativeThinking
from kiro_rs_py.errors import ConfigError, NotFound

THINKING_SUFFIX = "-thinking"
AGENTIC_SUFFIX = "-agentic"
MAX_NAME = 200
"""Characters; nobody's model has a longer one, and taking names apart is not for free."""
MILLION = 1_000_000
WINDOW = 200_000
"""Tokens; for models about which nothing better is known."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model as ``GET /v1/models`` lists it.

    ``window`` and ``max_output`` in tokens, ``created`` in Unix seconds; ``adaptive`` models take effort levels
    instead of a thinking budget. ``native`` is how it is asked to think by a field (None: by the prompt), ``rate``
    multiplies the credits of a request (None: unknown).
    """

    id: str
    display_name: str
    upstream_id: str
    created: int = 0
    window: int = WINDOW
    max_output: int = 64_000
    adaptive: bool = False
    native: NativeThinking | None = None
    rate: float | None = None

    @property
    def created_at(self) -> str:
        """``created`` as RFC 3339, which Anthropic's list has."""
        return datetime.fromtimestamp(self.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """What a client's model name means. ``name`` is exactly the client's, for the echo; ``window`` in tokens."""

    name: str
    upstream_id: str
    window: int = WINDOW
    thinking_suffix: bool = False
    agentic: bool = False
    adaptive_capable: bool = False
    native: NativeThinking | None = None


# --- tables -------------------------------------------------------------------------------------------------------

# Where the vendor's date is not known: when the sources of field-notes §2 first listed the model.
_JULY_2026, _OCTOBER_2026 = 1_783_987_200, 1_790_812_800

MODELS: tuple[Model, ...] = (
    Model("claude-sonnet-4-5-20250929", "Claude Sonnet 4.5", "CLAUDE_SONNET_4_5_20250929_V1_0", 1_759_104_000),
    Model("claude-opus-4-5-20251101", "Claude Opus 4.5", "claude-opus-4.5", 1_763_942_400),
    Model("claude-haiku-4-5-20251001", "Claude Haiku 4.5", "claude-haiku-4.5", 1_760_486_400),
    Model("claude-opus-4-6", "Claude Opus 4.6", "claude-opus-4.6", 1_770_163_200, MILLION, 128_000, True),
    Model("claude-sonnet-4-6", "Claude Sonnet 4.6", "claude-sonnet-4.6", 1_771_286_400, MILLION, 64_000, True),
    Model("claude-opus-4-7", "Claude Opus 4.7", "claude-opus-4.7", _JULY_2026, MILLION, 128_000, True),
    Model("claude-opus-4-8", "Claude Opus 4.8", "claude-opus-4.8", _JULY_2026, MILLION, 128_000, True),
    Model("claude-sonnet-4-8", "Claude Sonnet 4.8", "claude-sonnet-4.8", _JULY_2026, MILLION, 64_000, True),
    Model("claude-opus-5", "Claude Opus 5", "claude-opus-5", _JULY_2026, MILLION, 128_000, True),
    Model("claude-sonnet-5", "Claude Sonnet 5", "claude-sonnet-5", _JULY_2026, MILLION, 128_000, True),
    Model("claude-fable-5", "Claude Fable 5", "claude-fable-5", _JULY_2026, MILLION, 128_000, True),
    Model("claude-opus-5-5", "Claude Opus 5.5", "claude-opus-5.5", _OCTOBER_2026, MILLION, 128_000, True),
    Model("claude-sonnet-5-5", "Claude Sonnet 5.5", "claude-sonnet-5.5", _OCTOBER_2026, MILLION, 128_000, True),
    Model("claude-auto", "Auto", "auto", _JULY_2026, MILLION),
)

Version = tuple[int, int]

VERSIONS: Mapping[str, tuple[tuple[Version, str | None], ...]] = MappingProxyType(
    {
        # family: (from this version on, upstream id), the mapping of REF's README. Names without a version mean the
        # first row; None: Kiro's own dotted id. A name that holds two families is of the first one here (§2.3).
        "sonnet": (
            ((0, 0), "CLAUDE_SONNET_4_5_20250929_V1_0"),
            ((3, 7), "CLAUDE_3_7_SONNET_20250219_V1_0"),
            ((3, 8), "CLAUDE_SONNET_4_5_20250929_V1_0"),
            ((4, 0), "CLAUDE_SONNET_4_20250514_V1_0"),
            ((4, 5), "CLAUDE_SONNET_4_5_20250929_V1_0"),
            ((4, 6), None),
        ),
        "opus": (
            ((0, 0), "claude-opus-4.6"),
            ((4, 5), None),
        ),
        "haiku": (
            ((0, 0), "claude-haiku-4.5"),
            ((4, 5), None),
        ),
    }
)

ADAPTIVE_SINCE: Version = (4, 6)
"""Claude models from this version on take effort levels and, but for the haikus, have a window of a million."""

OTHER_FAMILIES = ("auto", "gpt-", "deepseek-", "minimax-", "glm-", "qwen", "kimi-", "nova-", "simple-task")
"""How ids of Kiro that are no Claude begin. They pass through: what stands behind is Kiro's business."""

OTHER_WINDOWS: Mapping[str, int] = MappingProxyType(
    {
        "gpt-5.6-sol": 272_000,
        "gpt-5.6-terra": 272_000,
        "gpt-5.6-luna": 272_000,
        "deepseek-3.2": 128_000,
        "qwen3-coder-next": 256_000,
    }
)

LEGACY_IDS: Mapping[str, str] = MappingProxyType(
    {
        # What the service lists today → the id of REF's README by which it is asked for (PRODUCT §3.1). Nobody lists
        # those any more, but they work (upstream-protocol §1.11).
        "claude-sonnet-4.5": "CLAUDE_SONNET_4_5_20250929_V1_0",
        "claude-sonnet-4": "CLAUDE_SONNET_4_20250514_V1_0",
        "claude-sonnet-4.0": "CLAUDE_SONNET_4_20250514_V1_0",
        "claude-3.7-sonnet": "CLAUDE_3_7_SONNET_20250219_V1_0",
    }
)

BETTER_BY_PROMPT = frozenset({"claude-opus-4.6"})
"""Takes the fields of native thinking, and then thinks unseen: it sends no reasoning events (upstream-protocol §1.10).
Asked by the prompt it shows its thinking."""

_ENDINGS_WITHOUT_MEANING = re.compile(r"(?:[-@]\d{8}|-latest)$")
_MILLION_MARK = re.compile(r"(?:\[1m\]|-1m)$")
_PREFIXES = ("kiro/", "kiro-", "anthropic/", "anthropic.")
_UPPER_CASE_ID = re.compile(r"claude_[a-z0-9_]+_v\d+_\d+")
_TWO_PARTS = re.compile(r"(?<!\d)(\d)[-._](\d{1,2})(?!\d)")
_ONE_PART = r"{family}[-_.]?(\d)(?![\da-z])"
_ANY_CLAUDE = re.compile(r"claude-([a-z]+)-(\d)(?:[-._](\d{1,2}))?")
_PLAIN_ID = re.compile(r"[a-z0-9][a-z0-9._:/+-]*")
"""What passes through stands in the log: no line break, and no words of somebody's."""


# --- names --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Name:
    """A lower-case name and what its endings said."""

    core: str
    thinking: bool = False
    agentic: bool = False
    million: bool = False

    def shorter(self, thinking_suffix: str) -> _Name | None:
        """Without its last ending; thinking and agentic count once (§2.1)."""
        if not self.thinking and thinking_suffix and self.core.endswith(thinking_suffix):
            return replace(self, core=self.core.removesuffix(thinking_suffix), thinking=True)
        if not self.agentic and self.core.endswith(AGENTIC_SUFFIX):
            return replace(self, core=self.core.removesuffix(AGENTIC_SUFFIX), agentic=True)
        if _MILLION_MARK.search(self.core):
            return replace(self, core=_MILLION_MARK.sub("", self.core), million=True)
        if _ENDINGS_WITHOUT_MEANING.search(self.core):
            return replace(self, core=_ENDINGS_WITHOUT_MEANING.sub("", self.core))
        return None


def _upstream_model(core: str) -> Model | None:
    """Family and version of a name without its endings → upstream id and what follows from it; None: no such model."""
    if _UPPER_CASE_ID.fullmatch(core):
        return Model(core, core, core.upper())
    for family, rows in VERSIONS.items():
        if family in core:
            version = _version(core, family)
            return _claude(family, version, [upstream_id for since, upstream_id in rows if since <= version][-1])
    if match := _ANY_CLAUDE.fullmatch(core):
        return _claude(match[1], (int(match[2]), int(match[3] or 0)), None)
    core = core.removeprefix("claude-")
    if core.startswith(OTHER_FAMILIES) and _PLAIN_ID.fullmatch(core):
        return Model(core, core, core, window=OTHER_WINDOWS.get(core, WINDOW))
    return None


def _version(core: str, family: str) -> Version:
    if match := _TWO_PARTS.search(core):
        return int(match[1]), int(match[2])
    if match := re.search(_ONE_PART.format(family=family), core):
        return int(match[1]), 0
    return 0, 0


def _claude(family: str, version: Version, upstream_id: str | None) -> Model:
    """``upstream_id`` None: the dotted one of the version."""
    if upstream_id is None:
        upstream_id = f"claude-{family}-{version[0]}" + (f".{version[1]}" if version[1] else "")
    if known := _BY_UPSTREAM_ID.get(upstream_id):
        return known
    adaptive = version >= ADAPTIVE_SINCE
    window = MILLION if adaptive and family != "haiku" else WINDOW
    return Model(upstream_id, upstream_id, upstream_id, window=window, adaptive=adaptive)


_BY_UPSTREAM_ID: Mapping[str, Model] = MappingProxyType({model.upstream_id: model for model in MODELS})


# --- the catalog --------------------------------------------------------------------------------------------------


class ModelCatalog:
    """The table, and what the user and the service add to it. Immutable.

    ``aliases``: name → name or upstream id, tried before everything else. ``windows``: name or upstream id → tokens,
    believed before everything else. ``extra``: upstream ids that are passed through as they are. ``unlisted``: upstream
    ids of models that have a name but are left out of :meth:`list`. Names are compared without regard to case.
    """

    def __init__(
        self,
        *,
        aliases: Mapping[str, str] = MappingProxyType({}),
        windows: Mapping[str, int] = MappingProxyType({}),
        extra: Iterable[str] = (),
        models: Iterable[Model] = MODELS,
        unlisted: Iterable[str] = (),
    ) -> None:
        self.aliases: Mapping[str, str] = {name.lower(): target for name, target in aliases.items()}
        self._windows = {name.lower(): window for name, window in windows.items()}
        self._extra = {name.lower(): name for name in extra}
        self._models = {model.upstream_id: model for model in models}
        self._unlisted = frozenset(unlisted)
        self._exact = {key.lower(): model for model in self._models.values() for key in (model.upstream_id, model.id)}
        self._exact |= {key: Model(key, key, name) for key, name in self._extra.items()}

    def with_discovered(self, models: Iterable[DiscoveredModel], *, complete: bool = False) -> ModelCatalog:
        """The same catalog with the models that accounts were told of.

        One that the catalog has keeps its id, and takes over whatever was said of it. With ``complete``, models that
        no account was told of are no longer listed; their names still mean them.
        """
        told = {model.upstream_id: model for model in map(self._completed, models)}
        merged = self._models | told
        return ModelCatalog(
            aliases=self.aliases,
            windows=self._windows,
            extra=self._extra.values(),
            models=merged.values(),
            unlisted=merged.keys() - told.keys() if complete else (),
        )

    def _completed(self, found: DiscoveredModel) -> Model:
        """A discovered model with what the catalog, or else its name, says beyond it."""
        name = found.upstream_id.lower()
        upstream_id = LEGACY_IDS.get(name, found.upstream_id)
        model = self._models.get(upstream_id)
        if model is None:
            model = _upstream_model(name)
            if model is None or model.upstream_id.lower() != upstream_id.lower():
                model = Model(name, found.upstream_id, upstream_id)
            # Claude Code shows only ids that begin so (field-notes §1 row 33).
            listed_id = name.replace(".", "-") if name.startswith("claude-") else f"claude-{name}"
            model = replace(model, id=listed_id, upstream_id=upstream_id, created=_JULY_2026)
        return replace(
            model,
            display_name=found.display_name or model.display_name,
            window=found.window or model.window,
            max_output=found.max_output or model.max_output,
            adaptive=model.adaptive or found.native is not None,
            native=None if name in BETTER_BY_PROMPT else found.native,
            rate=found.rate,
        )

    def resolve(self, name: str, *, thinking_suffix: str) -> ResolvedModel:
        """What ``name`` means; its endings (thinking, agentic, date, ``-latest``, ``[1m]``) may stand in any order.

        With an empty ``thinking_suffix`` no ending asks for thinking. Raises :class:`NotFound` for names that can mean
        no model; whether an account may use what is found here, only the service knows.
        """
        if len(name) > MAX_NAME:
            raise _unknown(name)
        return replace(self._resolve(name, thinking_suffix.lower(), frozenset()), name=name)

    def list(self, *, thinking_suffix: str = THINKING_SUFFIX) -> tuple[Model, ...]:
        """The entries of ``GET /v1/models``: every model with its variants, then aliases and extra ids."""
        entries = {
            model.id + ending: replace(
                model,
                id=model.id + ending,
                display_name=f"{model.display_name} ({title})" if title else model.display_name,
                window=self._window(model, model.id, million=_MILLION_MARK.search(ending) is not None),
            )
            for model in self._models.values()
            if model.upstream_id not in self._unlisted
            for ending, title in _variants(model, thinking_suffix)
        }
        for name in (*self.aliases, *self._extra.values()):
            entries[name] = self._entry(name, thinking_suffix)
        return tuple(entries.values())

    def find(self, name: str, *, thinking_suffix: str = THINKING_SUFFIX) -> Model:
        """The entry of ``GET /v1/models/{id}``, for any name that resolves. Raises :class:`NotFound`."""
        listed = {entry.id: entry for entry in self.list(thinking_suffix=thinking_suffix)}
        return listed.get(name) or self._entry(name, thinking_suffix)

    def upstream_id_of(self, name: str, *, thinking_suffix: str = THINKING_SUFFIX) -> str:
        """What ``name`` means upstream; the name itself if it can mean no model."""
        try:
            return self.resolve(name, thinking_suffix=thinking_suffix).upstream_id
        except NotFound:
            return name

    def public_id(self, name: str, *, thinking_suffix: str = THINKING_SUFFIX) -> str:
        """The listed id of the model that ``name`` means, without what its endings ask of this proxy; the name itself
        if there is none."""
        model = self._models.get(self.upstream_id_of(name, thinking_suffix=thinking_suffix))
        return model.id if model else name

    def _entry(self, name: str, thinking_suffix: str) -> Model:
        resolved = self.resolve(name, thinking_suffix=thinking_suffix)
        model = self._models.get(resolved.upstream_id) or Model(name, name, resolved.upstream_id, _JULY_2026)
        return replace(model, id=name, display_name=name, window=resolved.window)

    def _resolve(self, text: str, thinking_suffix: str, seen: frozenset[str]) -> ResolvedModel:
        # The name as it is, and without its last ending, and without the last two, … as far as they are known.
        stages = [_Name(text.strip().lower())]
        while shorter := stages[-1].shorter(thinking_suffix):
            stages.append(shorter)
        for name in stages:
            if name.core in self.aliases and name.core not in seen:
                return self._aliased(name, thinking_suffix, seen | {name.core})
        for name in stages:
            if model := self._exact.get(name.core):
                return self._resolved(name, model)
        name = stages[-1]
        core = name.core
        for prefix in _PREFIXES:
            core = core.removeprefix(prefix)
        model = self._exact.get(core) or _upstream_model(core)
        if model is None:
            raise _unknown(text)
        return self._resolved(name, self._models.get(model.upstream_id, model))

    def _aliased(self, name: _Name, thinking_suffix: str, seen: frozenset[str]) -> ResolvedModel:
        meant = self._resolve(self.aliases[name.core], thinking_suffix, seen)
        window = MILLION if name.million else meant.window
        return replace(
            meant,
            window=self._windows.get(name.core, window),
            thinking_suffix=name.thinking or meant.thinking_suffix,
            agentic=name.agentic or meant.agentic,
        )

    def _resolved(self, name: _Name, model: Model) -> ResolvedModel:
        window = self._window(model, name.core, million=name.million)
        return ResolvedModel(
            name.core, model.upstream_id, window, name.thinking, name.agentic, model.adaptive, model.native
        )

    def _window(self, model: Model, name: str, *, million: bool) -> int:
        for key in (name, model.upstream_id.lower(), model.id):
            if key in self._windows:
                return self._windows[key]
        return MILLION if million else model.window


def _unknown(name: str) -> NotFound:
    return NotFound(
        f"model: {name[:MAX_NAME]} is no model this proxy knows. GET /v1/models lists them; the models setting takes "
        "aliases and extra ids."
    )


def _variants(model: Model, thinking_suffix: str) -> Iterator[tuple[str, str]]:
    """Endings and titles of what is listed beside the plain id.

    Claude Code takes a window of a million for granted only if the name says ``[1m]`` (field-notes §1 row 32). REF's
    ``-1m`` ids stay listed for settings that hold them.
    """
    yield "", ""
    if thinking_suffix:
        yield thinking_suffix, "Thinking"
    yield AGENTIC_SUFFIX, "Agentic"
    if model.window >= MILLION:
        yield "[1m]", "1M Context"
    if model.id == "claude-opus-4-6":
        yield "-1m", "1M Context"
        if thinking_suffix:
            yield f"-1m{thinking_suffix}", "1M Context, Thinking"
        yield f"-1m{AGENTIC_SUFFIX}", "1M, Agentic"


def catalog_from_settings(models: Mapping[str, object]) -> ModelCatalog:
    """The configuration's ``models`` table → catalog::

        {"aliases": {"fast": "claude-haiku-4-5"}, "windows": {"claude-sonnet-4.5": 1000000}, "extra": ["new-id"]}

    Raises :class:`ConfigError` with every problem in it.
    """
    problems = [f"models.{key} is unknown; use aliases, windows and extra" for key in models if key not in _SETTINGS]
    aliases, windows, extra = (models.get(key) for key in _SETTINGS)
    if not _is_table(aliases, lambda name: isinstance(name, str) and name != ""):
        problems.append('models.aliases must be a table of names: {fast = "claude-haiku-4-5"}')
    if not _is_table(windows, _is_window):
        problems.append('models.windows must be a table of tokens: {"claude-sonnet-4.5" = 1000000}')
    if not (extra is None or (isinstance(extra, list | tuple) and all(isinstance(name, str) for name in extra))):
        problems.append("models.extra must be a list of model ids")
    if problems:
        raise ConfigError(problems)
    catalog = ModelCatalog(
        aliases=cast("Mapping[str, str]", aliases or {}),
        windows=cast("Mapping[str, int]", windows or {}),
        extra=cast("tuple[str, ...]", extra or ()),
    )
    for name in catalog.aliases:
        try:
            catalog.resolve(name, thinking_suffix=THINKING_SUFFIX)
        except NotFound:
            problems.append(
                f"models.aliases: {name} leads to no known model; if its id is new, put it into models.extra"
            )
    if problems:
        raise ConfigError(problems)
    return catalog


_SETTINGS = ("aliases", "windows", "extra")


def _is_table(value: object, fits: Callable[[object], bool]) -> bool:
    if value is None:
        return True
    return isinstance(value, Mapping) and all(isinstance(key, str) and fits(entry) for key, entry in value.items())


def _is_window(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST_NUMBER
