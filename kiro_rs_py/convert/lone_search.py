"""The answer to a request that only searches the web (request-conversion §7.5, N11, R9)."""

from __future__ import annotations

from kiro_rs_py.convert.anthropic import json_text
from kiro_rs_py.convert.blocks import BlockWriter
from kiro_rs_py.convert.message_events import MessageDelta, MessageStart, MessageStop, MessageStreamEvent, Usage
from kiro_rs_py.convert.search_results import SearchOutcome, result_block, summary_text
from kiro_rs_py.convert.tokens import tokens_of
from kiro_rs_py.convert.websearch import TOOL_NAME


class LoneAnswer:
    """Writes the call, its result and a summary, as a model would have. Ids and the estimate come from outside."""

    def __init__(self, *, message_id: str, tool_use_id: str, model: str, input_estimate: int) -> None:
        self._tool_use_id = tool_use_id
        # D-18: see MessageStream.
        self._blocks = BlockWriter(MessageStart(message_id, model, Usage(input_estimate, 1)), "blocks")
        self.usage = Usage(input_estimate, 0)
        """Final once :meth:`events` were made."""

    def events(self, query: str, outcome: SearchOutcome) -> list[MessageStreamEvent]:
        """All events of the message."""
        blocks = self._blocks
        blocks.server_tool(self._tool_use_id, TOOL_NAME, json_text({"query": query}))
        blocks.whole(result_block(self._tool_use_id, outcome))
        blocks.text(summary_text(query, outcome))
        blocks.close()
        output_tokens = max(1, tokens_of(blocks.written.units()))
        self.usage = self.usage._replace(output_tokens=output_tokens, web_searches=int(outcome.error is None))
        return [*blocks.take(), MessageDelta("end_turn", None, self.usage), MessageStop()]
