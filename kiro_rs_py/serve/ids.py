"""Fresh ids in the shapes clients know."""

from __future__ import annotations

from uuid import uuid4


def new_request_id() -> str:
    """``req_`` and 24 hex digits: the ``request-id`` of every answer."""
    return f"req_{uuid4().hex[:24]}"


def new_message_id() -> str:
    """``msg_`` and 32 hex digits."""
    return f"msg_{uuid4().hex}"


def new_server_tool_id() -> str:
    """``srvtoolu_`` and 32 hex digits: a tool that is run here."""
    return f"srvtoolu_{uuid4().hex}"


def new_uuid() -> str:
    """A UUID4, as Kiro wants its conversation and continuation ids."""
    return str(uuid4())
