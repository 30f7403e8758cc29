from __future__ import annotations

import re
from uuid import UUID

from kiro_rs_py.serve.ids import new_message_id, new_request_id, new_server_tool_id, new_uuid


def test_shapes() -> None:
    assert re.fullmatch(r"req_[0-9a-f]{24}", new_request_id())
    assert re.fullmatch(r"msg_[0-9a-f]{32}", new_message_id())
    assert re.fullmatch(r"srvtoolu_[0-9a-f]{32}", new_server_tool_id())
    assert UUID(new_uuid()).version == 4


def test_no_two_are_equal() -> None:
    for make in (new_request_id, new_message_id, new_server_tool_id, new_uuid):
        assert len({make() for _ in range(100)}) == 100
