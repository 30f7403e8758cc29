"""The words this program puts into conversations, in one place.

The first group are literals REF sends and the service has been seen to accept (request-conversion §11.4); the second
are prompt texts; the third stand in a conversation where something could not be sent as the client wrote it.
"""

from __future__ import annotations

# --- literals -----------------------------------------------------------------------------------------------------

SYSTEM_ACKNOWLEDGEMENT = "I will follow these instructions."
CLOSED_TURN = "OK"
"""The assistant's part after user messages that directly precede the current one."""
FIRST_TURN = "."
"""The user's part before a conversation that begins with the assistant."""
EMPTY_USER = "."
EMPTY_ASSISTANT = " "
EMPTY_RESULT = "(empty result)"
PLACEHOLDER_DESCRIPTION = "Tool used in conversation history"

# --- prompts ------------------------------------------------------------------------------------------------------

CHUNK_POLICY = (
    "If Write or Edit state a size limit, keep to it silently. Do not propose other tools to get around it. "
    "Do not ask the user whether to proceed differently. Carry every part of a split operation to its end without "
    "commenting on the splitting."
)

WRITE_SUFFIX = (
    "- IMPORTANT: For content of more than 150 lines, call this tool with the first 50 lines only and add the rest "
    "with `Edit`, at most 50 lines a call. A unique placeholder line may mark the place where the next part goes. "
    "Never put everything into one call."
)

EDIT_SUFFIX = (
    "- IMPORTANT: If `new_string` is longer than 50 lines, spread it over several Edit calls of at most 50 lines each. "
    "While appending, leave a unique placeholder for the next part; the last part must not contain it."
)

AGENTIC = """\
Rules for writing files:
- Create a new file in parts of at most about 300 lines.
- For large content, write the first part, then append the others with the Edit tool.
- Change existing files with small, targeted edits instead of rewriting them whole.
- Never send more than 500 lines in one tool call; split anything larger into several calls in a row.
Reason: the API cuts off long output without notice, and what is cut off is lost."""

CALL_ANY_TOOL = "Answer this turn with a tool call: call at least one of the tools you have been given."
CALL_NO_TOOL = "Do not call any tool in this turn. Answer in text."
ONE_CALL_AT_MOST = "Call at most one tool in this turn."


def call_tool(name: str) -> str:
    return f"Answer this turn with a tool call: call the tool {name}."


def answer_in_schema(schema: str) -> str:
    """``schema`` is JSON text."""
    return (
        "Answer this turn with one JSON value that is valid against the JSON schema below, and with nothing else: "
        f"no introduction, no explanation, no code fence.\n{schema}"
    )


def system_reminder(text: str) -> str:
    """Marks what an operator said in mid-conversation, in the way Claude Code marks it itself."""
    return f"<system-reminder>\n{text}\n</system-reminder>"


# --- in place of something ----------------------------------------------------------------------------------------

CUT_ARGUMENTS = (
    "The arguments of this call were cut off because they exceeded the size limit for one reply. The tool did not get "
    "them. Send the content again in smaller parts, one call for each part."
)

CUT_REPLY = (
    "Your last reply was cut off because it exceeded the size limit for one reply. If it was about to call a tool, "
    "that call did not happen. Send large content in smaller parts, one call for each part."
)

IMAGE_OF_RESULT = "(the image of this result is attached to this message)"


def unmatched_result(tool_use_id: str, text: str) -> str:
    return f"[Tool Result ({tool_use_id})]\n{text}"


def tool_loaded(name: str) -> str:
    return f"The tool {name} is loaded and can be called now."


def image_omitted(reason: str) -> str:
    return f"[image omitted: {reason}]"


def document(label: str, text: str) -> str:
    return f"[document: {label}]\n{text}\n[end of document]"


PDF_REST_UNREADABLE = "[the rest of this PDF could not be read]"
PDF_TOO_SLOW = "[reading this PDF took too long]"
PDF_REST_TOO_SLOW = "[reading the rest of this PDF took too long]"


def document_omitted(label: str, reason: str) -> str:
    return f"[document: {label} omitted: {reason}]"
