from __future__ import annotations

import pytest

from kiro_rs_py.errors import (
    BindError,
    BodyTimeout,
    ConfigError,
    CredentialFileError,
    LoginFailed,
    MethodNotAllowed,
    NotFound,
    RefreshFailed,
    RefreshRejected,
    RequestTooLarge,
    Throttled,
    UnsupportedEncoding,
    UnusableSource,
)
from kiro_rs_py.serve.admin.refusals import Refusal, invalid_field, refusal_of, too_many
from kiro_rs_py.upstream.document import UnknownCredential


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        (UnknownCredential(7), 404, "not_found", "credential_not_found"),
        (NotFound("no"), 404, "not_found", "not_found"),
        (MethodNotAllowed("GET", ["POST"]), 405, "invalid_request", "method_not_allowed"),
        (BodyTimeout("slow"), 408, "invalid_request", "body_timeout"),
        (RequestTooLarge(1), 413, "invalid_request", "too_large"),
        (UnsupportedEncoding("gzip"), 415, "invalid_request", "unsupported_media_type"),
        (UnusableSource("no"), 400, "invalid_request", "unusable_source"),
        (CredentialFileError("full"), 500, "internal_error", "persist_failed"),
        (RefreshRejected("no"), 502, "api_error", "refresh_failed"),
        (RefreshFailed("no"), 502, "api_error", "refresh_failed"),
        (Throttled("no"), 502, "api_error", "upstream_unavailable"),
        (LoginFailed("no", code="invalid_region"), 400, "invalid_request", "invalid_field"),
        (LoginFailed("no", code="invalid_start_url"), 400, "invalid_request", "invalid_field"),
        (LoginFailed("no", code="access_denied"), 502, "api_error", "access_denied"),
        (ConfigError(["no"]), 400, "invalid_request", "invalid_credential"),
    ],
)
def test_every_error_has_an_answer(error: Exception, status: int, kind: str, code: str) -> None:
    refusal = refusal_of(error)
    assert refusal is not None
    assert (refusal.status, refusal.kind, refusal.code) == (status, kind, code)


def test_the_rest_are_bugs() -> None:
    assert refusal_of(KeyError("x")) is None
    assert refusal_of(BindError("x")) is None


def test_the_envelope() -> None:
    refusal = invalid_field("label", "must be text.")
    assert refusal_of(refusal) is refusal
    assert refusal.envelope("req_1") == {
        "type": "error",
        "error": {
            "type": "invalid_request",
            "message": "label must be text.",
            "code": "invalid_field",
            "field": "label",
        },
        "request_id": "req_1",
    }
    assert "field" not in str(Refusal(404, "not_found", "x", "y").envelope(""))


def test_a_copy_says_the_same() -> None:
    refusal = too_many("too_many_logins", "No more.", 0.2)
    copy = refusal.again()
    assert copy is not refusal
    assert (copy.envelope("r"), copy.status, copy.headers) == (refusal.envelope("r"), 429, ((b"retry-after", b"1"),))
