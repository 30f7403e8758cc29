from __future__ import annotations

import pytest

from kiro_rs_py.upstream.sentences import fault, rejection


@pytest.mark.parametrize(
    ("reason", "said", "text"),
    [
        (
            "IMAGE_COUNT_EXCEEDED",
            "",
            "Invalid request: there are too many images. Send fewer. (reason: IMAGE_COUNT_EXCEEDED)",
        ),
        ("DOCUMENT_NEW", "", "Invalid request: Kiro refuses a document. Send its text instead. (reason: DOCUMENT_NEW)"),
        (None, "Expected toolResult blocks at messages.2", "Invalid request: the tool results do not match"),
        (None, "IMPROPERLY FORMED REQUEST.", "Invalid request: Kiro finds it improperly formed. Start a new"),
        (None, "Who knows", "Invalid request: Kiro refused it with status 422. Its own words are in the proxy's log"),
        # A reason says more than the text it comes with.
        ("TOOL_DUPLICATE", "Improperly formed request.", "Invalid request: two tools have the same name."),
    ],
)
def test_rejections(reason: str | None, said: str, text: str) -> None:
    assert rejection(422, reason, said).startswith(text)


def test_without_a_status_it_was_a_bad_request() -> None:
    assert "status 400" in rejection(0, None, "")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("InternalServer", "Kiro ended its answer with an error (InternalServer). Please try again."),
        ("made up: https://x", "Kiro ended its answer with an error. Please try again."),
    ],
)
def test_faults(code: str, text: str) -> None:
    assert fault(code) == text
