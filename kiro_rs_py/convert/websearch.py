"""Web search, the request side (request-conversion §7.1, §7.2, R8, R9).

Anthropic runs this tool on its own servers. Here a request with nothing but the search in its tools is answered
without any model; beside other tools the search is offered to the model like them, and its calls are carried out by
the proxy. Both leave blocks in the assistant's message that come back with the next request:
:func:`with_searches_as_turns` takes them apart into what had been said to Kiro.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlsplit

from kiro_rs_py.convert.anthropic import (
    ContentBlock,
    JsonObject,
    Message,
    MessagesRequest,
    TextBlock,
    Tool,
    ToolResultBlock,
    ToolUseBlock,
)
from kiro_rs_py.convert.tool_names import WireNames
from kiro_rs_py.errors import InvalidRequest

TOOL_NAME: Final = "web_search"
SERVER_TYPE_PREFIX: Final = "web_search"
QUERY_PREFIX: Final = "Perform a web search for the query: "
"""What Claude Code puts before the query."""

DEFAULT_MAX_USES: Final = 5
MAX_USES: Final = 20
"""Each use is a call to the service and a round of the conversation: no client may ask for any number of them."""
MAX_QUERY_CHARACTERS: Final = 2000
"""Nobody knows the service's limit; a search engine makes nothing of more."""

_DESCRIPTION: Final = (
    "Searches the web and returns titles, URLs, dates and short excerpts of pages. Use it for what may have changed "
    "since your training, and for facts you are not sure of. Ask for one thing at a time, in a few words, as one would "
    "type it into a search engine. Name the pages you rely on with their URLs. Say things in your own words: quote no "
    "more than 30 words in a row from a page."
)
_SCHEMA: Final[JsonObject] = {
    "type": "object",
    "properties": {"query": {"type": "string", "description": "What to search for."}},
    "required": ["query"],
}


@dataclass(frozen=True, slots=True)
class DomainFilter:
    """``allowed_domains`` and ``blocked_domains``: with ``allowed`` only these pass, with ``blocked`` all but these;
    clients send one list or none.

    Kiro's search has no such fields, so what it finds is filtered. An entry is a host with an optional path, as the
    Messages API documents it: it covers the host and its subdomains, and everything below its path, in which one ``*``
    may stand for anything.
    """

    allowed: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()

    def admits(self, url: str) -> bool:
        """Whether a result from ``url`` may be shown. A URL that cannot be read belongs to no domain."""
        host, path = _host_and_path(url)
        if self.allowed and not _covered(host, path, self.allowed):
            return False
        return not _covered(host, path, self.blocked)


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """The web search as one request allows it; ``tool`` is its name on the wire."""

    tool: str
    max_uses: int = DEFAULT_MAX_USES
    domains: DomainFilter = field(default_factory=DomainFilter)


def is_web_search(tool: Tool) -> bool:
    """Anthropic's server tool, by its dated type or, where a client leaves the type out, by being bare.

    A client's own tool of the same name describes its input and stays the client's.
    """
    if tool.type is not None and tool.type != "custom":
        return tool.type.startswith(SERVER_TYPE_PREFIX)
    return tool.name == TOOL_NAME and not tool.input_schema


def lone_search(request: MessagesRequest) -> str | None:
    """The query of a request that only searches (§7.1), else None: the web search is its only tool, and its last user
    message is no answer to a tool.

    The query is the text of the last user message (R9), without Claude Code's introduction. Raises
    :class:`InvalidRequest` when there is none.
    """
    if len(request.tools) != 1 or not is_web_search(request.tools[0]) or request.tools[0].name != TOOL_NAME:
        return None
    if request.tool_choice.type == "none":
        return None
    last = next((message for message in reversed(request.messages) if message.role == "user"), Message("user", ()))
    if any(isinstance(block, ToolResultBlock) for block in last.content):
        return None
    text = "\n".join(block.text for block in last.content if isinstance(block, TextBlock))
    query = text.removeprefix(QUERY_PREFIX)
    if not query.strip():
        raise InvalidRequest("messages: unable to extract a search query from the last user message.")
    return query


def plan_search(offered: Iterable[Tool], names: WireNames, notes: list[str]) -> SearchPlan | None:
    """The web search among the tools offered, if there is one: its calls are ours to carry out."""
    tool = next(filter(is_web_search, offered), None)
    if tool is None:
        return None
    wanted = DEFAULT_MAX_USES if tool.max_uses is None else max(0, tool.max_uses)
    if wanted > MAX_USES:
        notes.append(f"held the web searches to {MAX_USES} instead of {wanted}")
    return SearchPlan(names[tool.name], min(wanted, MAX_USES), DomainFilter(tool.allowed_domains, tool.blocked_domains))


def offered_search(tool: Tool) -> Tool:
    """The web search as a model can be told of it; clients name it only. It still :func:`is_web_search`."""
    return replace(tool, description=_DESCRIPTION, input_schema=_SCHEMA, type=SERVER_TYPE_PREFIX)


# --- which results may be shown -------------------------------------------------------------------------------------


def _host_and_path(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").rstrip("."), parts.path or "/"
    except ValueError:
        return "", "/"


def _covered(host: str, path: str, entries: Iterable[str]) -> bool:
    return any(_covers(entry, host, path) for entry in entries)


def _covers(entry: str, host: str, path: str) -> bool:
    """Entries should have no scheme; some clients write one all the same."""
    entry = entry.strip().rpartition("://")[2]
    domain, _, below = entry.partition("/")
    domain = domain.lower().strip(".")
    if not domain or not (host == domain or host.endswith(f".{domain}")):
        return False
    first, *others = map(re.escape, below.rstrip("/").split("*"))
    # The first place that fits a part is good enough for all but the last, so the search never turns back there: with
    # many asterisks that would take for ever.
    *middle, last = others or [""]
    pattern = first + "".join(f"(?>.*?{part})" for part in middle) + (f".*{last}" if others else "")
    return not below or re.match(rf"/{pattern}(?:/|$)", path) is not None


# --- searches in the history --------------------------------------------------------------------------------------


def with_searches_as_turns(messages: Iterable[Message]) -> tuple[Message, ...]:
    """``messages`` in which every search stands as it was said to Kiro: a call, its result in the user turn behind it,
    then the rest of what was one message for the client.

    In an assistant's message a tool result can only be a search's. A message that ends with one, since a client's tool
    was called at the same time or the turn was paused, hands it on to the user turn that follows, which is made if need
    be.
    """
    told: list[Message] = []
    waiting: list[ContentBlock] = []
    for message in messages:
        if message.role == "assistant":
            if waiting:
                told.append(Message("user", tuple(waiting)))
            parts, waiting = _taken_apart(message)
            told += parts
        else:
            told.append(replace(message, content=(*waiting, *message.content)) if waiting else message)
            waiting = []
    if waiting:
        told.append(Message("user", tuple(waiting)))
    return tuple(told)


def _taken_apart(message: Message) -> tuple[list[Message], list[ContentBlock]]:
    """The turns in one assistant message, the assistant's last; and the results at its end."""
    if not any(isinstance(block, ToolResultBlock) for block in message.content):
        return [message], []
    turns: list[Message] = []
    said: list[ContentBlock] = []
    results: list[ContentBlock] = []
    open_calls: set[str] = set()
    for block in message.content:
        if isinstance(block, ToolResultBlock):
            results.append(block)
            open_calls.discard(block.tool_use_id)
            continue
        if results and not open_calls:
            turns += [replace(message, content=tuple(said)), Message("user", tuple(results))]
            said, results = [], []
        if isinstance(block, ToolUseBlock):
            open_calls.add(block.id)
        said.append(block)
    return [*turns, replace(message, content=tuple(said))], results
