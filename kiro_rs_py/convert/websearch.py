"""Web search, the pure half of the request side (request-conversion §7.1, §7.2)."""

from __future__ import annotations

from kiro_rs_py.convert.anthropic import MessagesRequest, TextBlock, Tool
from kiro_rs_py.errors import InvalidRequest

TOOL_NAME = "web_search"
SERVER_TYPE_PREFIX = "web_search"
QUERY_PREFIX = "Perform a web search for the query: "
"""What Claude Code puts before the query."""


def is_web_search(tool: Tool) -> bool:
    """Anthropic's server tool, by its dated type or, where a client leaves the type out, by being bare.

    A client's own tool of the same name describes its input and stays the client's.
    """
    if tool.type is not None and tool.type != "custom":
        return tool.type.startswith(SERVER_TYPE_PREFIX)
    return tool.name == TOOL_NAME and not tool.input_schema


def lone_search(request: MessagesRequest) -> str | None:
    """The query of a request whose only tool is the web search (§7.1), else None.

    The query is the text of the last user message (R9), without Claude Code's introduction. Raises
    :class:`InvalidRequest` when there is none.
    """
    if len(request.tools) != 1 or not is_web_search(request.tools[0]) or request.tools[0].name != TOOL_NAME:
        return None
    for message in reversed(request.messages):
        if message.role == "user":
            text = "\n".join(block.text for block in message.content if isinstance(block, TextBlock))
            query = text.removeprefix(QUERY_PREFIX)
            if query.strip():
                return query
            break
    raise InvalidRequest("messages: unable to extract a search query from the last user message.")
