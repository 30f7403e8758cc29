"""Every kind of upstream failure and what a client is told: the table that docs/errors.md shows and the tests play."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from kiro_rs_py.convert.anthropic import Json

PAGE = Path(__file__).parent.parent.parent / "docs" / "errors.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"

Way = Literal["stream", "plain", "cc"]
WAYS: tuple[Way, ...] = ("stream", "plain", "cc")

AGAIN = "Please try again."
LATER = "Kiro service temporarily unavailable. Please try again later."
LOGIN = "Log in again with `kiro-rs-py login`."
SLOW_DOWN = "Too many requests. Please slow down and try again."
DAMAGED = f"Kiro's answer was damaged or cut off. {AGAIN}"
CAPACITY = "Kiro has no capacity for this model just now. Try again in a moment, or use another model."
NEW = "Start a new conversation if it happens again."
LOGGED = "Its own words are in the proxy's log, at level debug."


@dataclass(frozen=True)
class Kind:
    """``upstream`` says what Kiro does, in words. It is made to do so by one of these: ``fault`` (of the simulator),
    ``answer`` (arguments of its ``fail_next``), ``host`` (a place where no simulator is), ``refresh`` (what the token
    service answers).

    ``retry_after`` is the header's seconds, to which the pool's jitter may add a little; ``final`` is
    ``x-should-retry: false``. ``attempts`` are the requests Kiro gets of one account, ``elsewhere`` whether a second
    account saves the request.
    ``late``: text was sent before, so that a live stream can only end with an ``error`` event.
    """

    name: str
    upstream: str
    status: int
    type: str
    message: str
    fault: str = ""
    answer: tuple[int, Json] | None = None
    host: Literal["", "closed", "untrusted"] = ""
    refresh: tuple[int, Json] | None = None
    retry_after: int | None = None
    final: bool = False
    attempts: int = 1
    elsewhere: bool = False
    late: bool = False
    settings: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


def invalid(reason: str, message: str = "") -> tuple[int, Json]:
    return 400, {"message": message or "secret words of the service", "reason": reason}


KINDS = (
    Kind(
        "connection refused",
        "nobody listens",
        *(502, "api_error", "No connection to Kiro. Check the network and proxyUrl."),
        host="closed",
        attempts=3,
    ),
    Kind(
        "TLS",
        "a certificate nobody vouches for",
        *(502, "api_error", "Kiro's certificate is not trusted here. Set caFile or tlsBackend."),
        host="untrusted",
        attempts=3,
    ),
    Kind(
        "connection closed",
        "the connection ends without an answer",
        *(502, "api_error", f"The connection to Kiro broke. {AGAIN}"),
        fault="connect-drop",
        attempts=3,
        elsewhere=True,
    ),
    Kind(
        "no headers",
        "no answer within firstEventTimeoutSeconds",
        *(
            504,
            "timeout_error",
            "Kiro did not begin to answer in time. Please try again, or raise firstEventTimeoutSeconds.",
        ),
        fault="no-headers",
        settings={"first_event_timeout_seconds": 0.5},
    ),
    Kind(
        "silence",
        "no more events for idleTimeoutSeconds",
        *(
            504,
            "timeout_error",
            "Kiro stopped in the middle of its answer. Please try again, or raise idleTimeoutSeconds.",
        ),
        fault="stall",
        late=True,
        settings={"idle_timeout_seconds": 0.3},
    ),
    Kind(
        "400 too long",
        "400 `CONTENT_LENGTH_EXCEEDS_THRESHOLD`",
        *(400, "invalid_request_error", "prompt is too long: 200001 tokens > 200000 maximum"),
        fault="too-long",
    ),
    Kind(
        "400 improperly formed",
        '400 without a reason, "Improperly formed request."',
        *(400, "invalid_request_error", f"Invalid request: Kiro finds it improperly formed. {NEW}"),
        fault="malformed",
    ),
    Kind(
        "400 no such model",
        "400 `INVALID_MODEL_ID`",
        *(
            404,
            "not_found_error",
            "Kiro does not offer this model, or not to this account's plan. Choose one that /v1/models lists.",
        ),
        fault="no-model",
        elsewhere=True,
    ),
    Kind(
        "400 tool schema",
        "400 `TOOL_SCHEMA_INVALID`",
        400,
        "invalid_request_error",
        "Invalid request: Kiro refuses the schema of a tool. Leave that tool out, or simplify its schema. "
        "(reason: TOOL_SCHEMA_INVALID)",
        answer=invalid("TOOL_SCHEMA_INVALID"),
    ),
    Kind(
        "400 signature",
        "400 `THINKING_SIGNATURE_INVALID`, and no thinking to leave out",
        *(
            400,
            "invalid_request_error",
            "Kiro refuses the signature of an earlier thinking block. Start a new conversation.",
        ),
        fault="signature",
    ),
    Kind(
        "400 unknown",
        "400 with a reason and words nobody knows",
        *(
            400,
            "invalid_request_error",
            f"Invalid request: Kiro refused it with status 400. {LOGGED} (reason: SOMETHING_NEW)",
        ),
        answer=invalid("SOMETHING_NEW"),
    ),
    Kind(
        "401",
        "401, also with a fresh token",
        *(401, "authentication_error", f"Kiro does not accept the account's token. {LOGIN}"),
        fault="status 401",
        final=True,
        attempts=2,
        elsewhere=True,
    ),
    Kind(
        "402 quota",
        "402 `MONTHLY_REQUEST_COUNT`",
        429,
        "rate_limit_error",
        "Monthly request limit exceeded. Account has reached its monthly quota. "
        "`kiro-rs-py balance` shows when it starts again.",
        fault="quota",
        retry_after=14400,
        final=True,
        elsewhere=True,
    ),
    Kind(
        "403 token",
        '403 "The bearer token … is invalid", also with a fresh token',
        *(401, "authentication_error", f"Kiro does not accept the account's token. {LOGIN}"),
        fault="expired always",
        final=True,
        attempts=2,
        elsewhere=True,
    ),
    Kind(
        "403 suspended",
        '403 "We\'ve locked your account"',
        403,
        "permission_error",
        "The provider has suspended this account. Only its owner can have that lifted, through Kiro's support.",
        fault="suspend",
        elsewhere=True,
    ),
    Kind(
        "429 with a time",
        "429 with `Retry-After: 7`",
        *(429, "rate_limit_error", SLOW_DOWN),
        fault="throttle 7",
        retry_after=7,
        elsewhere=True,
    ),
    Kind(
        "429 credits",
        "429 `CREDIT_CONSUMPTION_RATE_EXCEEDED`, `retryAfterMilliseconds: 300000`",
        *(429, "rate_limit_error", "Rate limit exceeded. Please wait a moment before retrying."),
        fault="credit-rate 300000",
        retry_after=300,
        final=True,
        elsewhere=True,
    ),
    Kind(
        "429 suspicious",
        '429 "Due to suspicious activity …"',
        429,
        "rate_limit_error",
        "Kiro limits this account for a while because it noticed unusual activity. Wait, or add an account.",
        fault="suspicious",
        retry_after=600,
        final=True,
        elsewhere=True,
    ),
    Kind(
        "429 capacity",
        "429 `INSUFFICIENT_MODEL_CAPACITY`",
        *(529, "overloaded_error", CAPACITY),
        fault="overload",
        retry_after=5,
        attempts=3,
        elsewhere=True,
    ),
    Kind(
        "500",
        "500 InternalServerException",
        *(502, "api_error", LATER),
        fault="internal",
        attempts=3,
        elsewhere=True,
    ),
    Kind(
        "500 high load",
        '500 "unexpectedly high load"',
        *(529, "overloaded_error", CAPACITY),
        fault="high-load",
        retry_after=5,
        attempts=3,
        elsewhere=True,
    ),
    Kind(
        "502 page",
        "502 with a page in HTML",
        *(502, "api_error", LATER),
        fault="gateway",
        attempts=3,
        elsewhere=True,
    ),
    Kind(
        "503",
        "503 ServiceUnavailableException",
        *(529, "overloaded_error", LATER),
        fault="unavailable",
        retry_after=5,
        attempts=3,
        elsewhere=True,
    ),
    Kind(
        "200 with an error",
        "200 with a ThrottlingException in JSON",
        *(429, "rate_limit_error", SLOW_DOWN),
        fault="json-error",
        retry_after=1,
        elsewhere=True,
    ),
    Kind(
        "200 with a page",
        "200 with a page in HTML",
        502,
        "api_error",
        "Something that is not Kiro answered in its place. Check the network, proxyUrl and upstreamUrl.",
        fault="html",
        attempts=3,
        elsewhere=True,
    ),
    Kind(
        "exception first",
        "an exception in the first frame",
        *(429, "rate_limit_error", SLOW_DOWN),
        fault="exception ThrottlingException",
        retry_after=1,
        elsewhere=True,
    ),
    Kind(
        "exception late",
        "an exception behind some text",
        *(502, "api_error", LATER),
        fault="late-exception InternalServerException",
        late=True,
    ),
    Kind(
        "cut in text",
        "the connection breaks inside a frame",
        *(502, "api_error", f"The connection to Kiro broke. {AGAIN}"),
        fault="cut-stream",
        late=True,
    ),
    Kind(
        "cut in a frame",
        "the body ends inside a frame",
        *(502, "api_error", DAMAGED),
        fault="cut-frame",
        late=True,
    ),
    Kind(
        "bad checksum",
        "a frame whose checksum is wrong",
        *(502, "api_error", DAMAGED),
        fault="bad-crc",
        late=True,
    ),
    Kind(
        "login over",
        "the token service answers 400 `invalid_grant`",
        401,
        "authentication_error",
        "The only account is in need of a new login. The token service no longer accepts the refresh token "
        f"(invalid_grant). {LOGIN}",
        refresh=(400, {"error": "invalid_grant", "error_description": "secret words of the service"}),
        final=True,
        attempts=0,
        elsewhere=True,
    ),
    Kind(
        "token service down",
        "the token service answers 503",
        503,
        "api_error",
        "The only account is cooling down. The token service answered 503. Please try again later.",
        refresh=(503, {"message": "secret words of the service"}),
        retry_after=5,
        attempts=0,
        elsewhere=True,
    ),
    Kind(
        "empty",
        "a whole answer without any content",
        *(502, "api_error", f"Kiro answered without any content. {AGAIN}"),
        fault="empty",
        attempts=2,
        elsewhere=True,
    ),
)


def headers_of(kind: Kind) -> Iterator[str]:
    if kind.retry_after is not None:
        yield f"`retry-after: {kind.retry_after}`"
    if kind.final:
        yield "`x-should-retry: false`"


def table() -> str:
    """The table of docs/errors.md."""
    lines = [
        "| Kiro | status and type | message | headers | tries | other account |",
        "|---|---|---|---|---|---|",
    ]
    for kind in KINDS:
        status = f"{kind.status} `{kind.type}`" + (" (late)" if kind.late else "")
        headers = "<br>".join(headers_of(kind))
        message = kind.message.replace("|", "\\|")
        saves = "answers" if kind.elsewhere else "–"
        lines.append(f"| {kind.upstream} | {status} | {message} | {headers} | {kind.attempts} | {saves} |")
    return "\n".join(lines)


def with_table(page: str) -> str:
    """The page with the table as it ought to be."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
