"""Nothing that comes from outside can become markup (operations §7.8, 3)."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from kiro_rs_py.serve.admin.pages import (
    PAGE_HEADERS,
    confirmation_page,
    device_page,
    outcome_page,
    selection_page,
    sign_in_page,
)
from kiro_rs_py.upstream.login import DeviceCode, Registration

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\udcff"


class Elements(HTMLParser):
    """The elements and attribute names of a page; fails on what is not closed."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.feed(page.decode())
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in ("meta", "input", "path"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "path":
            assert self.open.pop() == tag


def pages(text: str) -> dict[str, bytes]:
    device = DeviceCode(text, text, text, text, 600.0, 5.0, Registration(text, text))
    return {
        "sign in": sign_in_page(administrator=True, problem=text),
        "selection": selection_page(text),
        "confirmation": confirmation_page(text, [(text, text)]),
        "device": device_page(text, device, text, "<svg></svg>"),
        "good": outcome_page(text, text, good=True),
        "bad": outcome_page("x", text, good=False),
    }


@pytest.mark.parametrize("name", list(pages("")))
def test_foreign_text_adds_no_element_and_no_attribute(name: str) -> None:
    harmless, evil = Elements(pages("harmless")[name]), Elements(pages(EVIL)[name])
    assert evil.names == harmless.names
    assert evil.attributes == harmless.attributes
    assert not evil.names & {"script", "img", "iframe", "object"}
    assert not [name for name in evil.attributes if name.startswith("on") or name == "style"]


def test_the_policy_allows_the_style_sheet_and_nothing_else() -> None:
    policy = dict(PAGE_HEADERS)[b"content-security-policy"].decode()
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
