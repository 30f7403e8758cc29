"""What clients are told when Kiro fails: one sentence that says what, one that says what to do about it.

Those of the reference's error table are kept to the letter (response-conversion §8.5, PRODUCT §3.2). None may hold the
words by which Claude Code takes an error for something else (clients §1.2): "prompt is too long" and its like, which
:class:`~kiro_rs_py.errors.PromptTooLong` alone says, or the names of request fields, which it then leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# --- the account --------------------------------------------------------------------------------------------------

_BALANCE = "`kiro-rs-py balance` shows when it starts again."
_MONTHLY = f"Monthly request limit exceeded. Account has reached its monthly quota. {_BALANCE}"
QUOTA = f"The account has used up what its plan includes. {_BALANCE}"
QUOTAS: Mapping[str, str] = {
    "MONTHLY_REQUEST_COUNT": _MONTHLY,
    "MONTHLY_REQUEST_LIMIT_REACHED": _MONTHLY,
    "WEEKLY_REQUEST_COUNT": f"The account has used up its requests of this week. {_BALANCE}",
    "DAILY_REQUEST_COUNT": "The account has used up its requests of today. Wait until tomorrow, or add an account.",
    "HOURLY_REQUEST_COUNT": "The account has used up its requests of this hour. Wait, or add an account.",
    "OVERAGE_REQUEST_LIMIT_EXCEEDED": f"The account has reached its limit for overages. {_BALANCE}",
}
SUSPENDED = "The provider has suspended this account. Only its owner can have that lifted, through Kiro's support."
BAD_TOKEN = "Kiro does not accept the account's token. Log in again with `kiro-rs-py login`."  # noqa: S105
NOT_ALLOWED = "Kiro does not let this account do that. Check its plan, or log in again with `kiro-rs-py login`."
NO_PROFILE = "Kiro wants a profile ARN, and this account has none. Log in again with `kiro-rs-py login`."
WRONG_PLAN = "The account's plan does not allow this kind of client. Use an account with another plan."
SUSPICIOUS = "Kiro limits this account for a while because it noticed unusual activity. Wait, or add an account."

# --- too much -----------------------------------------------------------------------------------------------------

RATE = "Rate limit exceeded. Please wait a moment before retrying."
TOO_MANY = "Too many requests. Please slow down and try again."
CONTEXT = "Model context limit reached. Conversation size exceeds model capacity."
"""For the log: clients are told the numbers, in Anthropic's words."""
CAPACITY = "Kiro has no capacity for this model just now. Try again in a moment, or use another model."
UNAVAILABLE = "Kiro service temporarily unavailable. Please try again later."

# --- the way there ------------------------------------------------------------------------------------------------

TIMEOUT = "Kiro did not answer in time. Please try again."
NO_START = "Kiro did not begin to answer in time. Please try again, or raise firstEventTimeoutSeconds."
SILENCE = "Kiro stopped in the middle of its answer. Please try again, or raise idleTimeoutSeconds."
CONNECT = "No connection to Kiro. Check the network and proxyUrl."
CONNECT_TIMEOUT = "No connection to Kiro in time. Check the network and proxyUrl."
CERTIFICATE = "Kiro's certificate is not trusted here. Set caFile or tlsBackend."
PROXY = "The outgoing proxy does not connect; check proxyUrl."
BROKEN = "The connection to Kiro broke. Please try again."
STRANGER = "Something that is not Kiro answered in its place. Check the network, proxyUrl and upstreamUrl."
EMPTY = "Kiro answered without any content. Please try again."
DAMAGED = "Kiro's answer was damaged or cut off. Please try again."

# --- the request --------------------------------------------------------------------------------------------------

INVALID = "Invalid request: {}"
MODEL = "Kiro does not offer this model, or not to this account's plan. Choose one that /v1/models lists."
SIGNATURE = "Kiro refuses the signature of an earlier thinking block. Start a new conversation."

_LOGGED = "Its own words are in the proxy's log, at level debug."
_NEW = "Start a new conversation if it happens again."
_TOOL_SCHEMA = "Kiro refuses the schema of a tool. Leave that tool out, or simplify its schema."
_RESULTS = f"the tool results do not match the tool calls before them. {_NEW}"
_DOCUMENT = "Kiro refuses a document. Send its text instead."
_REJECTIONS: Mapping[str, str] = {
    "DISALLOWED_FILE_TYPE": "Kiro does not take files of this type. Send their text instead.",
    "DOCUMENT_COUNT_EXCEEDED": "there are too many documents. Send fewer.",
    "DOCUMENT_PASSWORD_PROTECTED": "a document is protected by a password. Send it without.",
    "DOCUMENT_SIZE_EXCEEDED": "a document is too large. Send a smaller one.",
    "DOCUMENT_MAXIMUM_PAGES_EXCEEDED": "a document has too many pages. Send fewer.",
    "IMAGE_COUNT_EXCEEDED": "there are too many images. Send fewer.",
    "IMAGE_DIMENSION_EXCEEDED": "an image has too many pixels. Send it smaller.",
    "IMAGE_FORMAT_UNSUPPORTED": "Kiro does not take an image of this format. Send PNG, JPEG, GIF or WebP.",
    "IMAGE_MIME_MISMATCH": "an image is not of the type it is said to be. Send PNG, JPEG, GIF or WebP.",
    "IMAGE_SIZE_EXCEEDED": "an image is too large. Send it smaller.",
    "TOOL_DUPLICATE": "two tools have the same name. Send each tool once.",
    "TOOL_SCHEMA_INVALID": _TOOL_SCHEMA,
    "TOOL_CONFIG_MISSING": f"the conversation uses a tool that is not defined. {_NEW}",
    "TOOL_USE_RESULT_MISMATCH": _RESULTS,
    "FEATURE_NOT_SUPPORTED": "Kiro does not support this for the account. Use an account with another plan.",
}
# Texts that come without a reason (upstream-protocol §11.3).
_REJECTED_TEXTS = (
    ("improperly formed request", f"Kiro finds it improperly formed. {_NEW}"),
    ("invalid tool use format", f"Kiro refuses the name or id of a tool call. {_NEW}"),
    ("expected toolresult blocks", _RESULTS),
    ("input_schema does not support", _TOOL_SCHEMA),
    ("additionalmodelrequestfields", "Kiro does not take this effort or thinking for the model. Choose another model."),
)


def rejection(status: int, reason: str | None, said: str) -> str:
    """For a request that Kiro refused; ``said`` are its words, which only decide which of ours are used."""
    lowered = said.lower()
    known = (sentence for phrase, sentence in _REJECTED_TEXTS if phrase in lowered)
    sentence = _REJECTIONS.get(reason or "") or next(known, None)
    if sentence is None and reason is not None and reason.startswith("DOCUMENT_"):
        sentence = _DOCUMENT
    text = INVALID.format(sentence or f"Kiro refused it with status {status or 400}. {_LOGGED}")
    return f"{text} (reason: {reason})" if reason else text


def fault(code: str) -> str:
    """For an error in the middle of an answer that tells nothing but its name."""
    named = f" ({code})" if re.fullmatch(r"[A-Za-z]{1,64}", code) else ""
    return f"Kiro ended its answer with an error{named}. Please try again."
