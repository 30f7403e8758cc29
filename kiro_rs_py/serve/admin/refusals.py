"""What the administration answers when it does not do something: kiro-rs's error types, and a code for programs.

The envelope is ``{"type": "error", "error": {"type", "message", "code", "field"?}, "request_id"}``. The statuses are
the intended ones of operations §5.3, the message prefixes those of §5.2.
"""

from __future__ import annotations

import math
from typing import Literal, Self, TypeAlias

from kiro_rs_py.convert.anthropic import JsonObject
from kiro_rs_py.errors import (
    BodyTimeout,
    ConfigError,
    CredentialFileError,
    LoginFailed,
    MethodNotAllowed,
    NotFound,
    RefreshFailed,
    RefreshRejected,
    RequestTooLarge,
    UnsupportedEncoding,
    UnusableSource,
    UpstreamError,
)
from kiro_rs_py.serve.reply import Header
from kiro_rs_py.upstream.document import UnknownCredential

Kind: TypeAlias = Literal["not_found", "invalid_request", "authentication_error", "api_error", "internal_error"]


class Refusal(Exception):
    """One answer that is an error. ``field`` names the member of the body that is wrong."""

    def __init__(
        self,
        status: int,
        kind: Kind,
        code: str,
        message: str,
        *,
        field: str | None = None,
        headers: tuple[Header, ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind: Kind = kind
        self.code = code
        self.message = message
        self.field = field
        self.headers = headers

    def again(self) -> Self:
        """A copy to raise for another asker: raising adds to an exception's traceback."""
        return type(self)(self.status, self.kind, self.code, self.message, field=self.field, headers=self.headers)

    def envelope(self, request_id: str) -> JsonObject:
        """The body of the answer."""
        error: JsonObject = {"type": self.kind, "message": self.message, "code": self.code}
        if self.field is not None:
            error["field"] = self.field
        return {"type": "error", "error": error, "request_id": request_id}


# --- the usual ones -------------------------------------------------------------------------------------------------


def invalid(code: str, message: str, *, field: str | None = None) -> Refusal:
    """400: what was sent cannot be used."""
    return Refusal(400, "invalid_request", code, message, field=field)


def invalid_field(name: str, problem: str) -> Refusal:
    """400 about one member of the body; ``problem`` continues the sentence that begins with its name."""
    return invalid("invalid_field", f"{name} {problem}", field=name)


def no_such_account(credential_id: int) -> Refusal:
    return Refusal(404, "not_found", "credential_not_found", f"Credential not found: {credential_id}")


def unauthorised(code: str, message: str) -> Refusal:
    """401: nobody has shown who they are."""
    return Refusal(401, "authentication_error", code, message)


def forbidden(code: str, message: str) -> Refusal:
    """403: wherever that came from, it is not done."""
    return Refusal(403, "authentication_error", code, message)


def too_many(code: str, message: str, seconds: float, *, kind: Kind = "invalid_request") -> Refusal:
    """429 with ``retry-after``."""
    return Refusal(429, kind, code, message, headers=((b"retry-after", b"%d" % max(1, math.ceil(seconds))),))


def refusal_of(error: Exception) -> Refusal | None:
    """The answer for an error of any other room; None for a bug."""
    match error:
        case Refusal():
            return error
        case UnknownCredential():
            return no_such_account(int(error.args[0]))
        case NotFound():
            return Refusal(404, "not_found", "not_found", str(error))
        case MethodNotAllowed():
            allow = ", ".join(error.allowed).encode()
            return Refusal(405, "invalid_request", "method_not_allowed", str(error), headers=((b"allow", allow),))
        case BodyTimeout():
            close = ((b"connection", b"close"),)
            return Refusal(408, "invalid_request", "body_timeout", str(error), headers=close)
        case RequestTooLarge():
            return Refusal(413, "invalid_request", "too_large", f"The body is larger than {error.limit} bytes.")
        case UnsupportedEncoding():
            return Refusal(415, "invalid_request", "unsupported_media_type", str(error))
        case UnusableSource():
            return invalid("unusable_source", str(error), field="text")
        case CredentialFileError():
            return Refusal(500, "internal_error", "persist_failed", f"Internal error: {error}")
        case _:
            return _of_upstream(error)


def _of_upstream(error: Exception) -> Refusal | None:
    match error:
        case RefreshRejected() | RefreshFailed():
            return Refusal(502, "api_error", "refresh_failed", f"Token refresh failed: {error}")
        case UpstreamError():
            return Refusal(502, "api_error", "upstream_unavailable", f"Upstream service error: {error}")
        case LoginFailed(code="invalid_region"):
            return invalid("invalid_field", str(error), field="region")
        case LoginFailed(code="invalid_start_url"):
            return invalid("invalid_field", str(error), field="startUrl")
        case LoginFailed():
            return Refusal(502, "api_error", error.code, f"Upstream service error: {error}")
        case ConfigError():
            return invalid("invalid_credential", f"Invalid credential: {error}")
        case _:
            return None


BUG = Refusal(500, "internal_error", "internal_error", "Internal error: the log has the details under this request id.")
