"""Which results the two lists of domains let pass."""

from __future__ import annotations

import pytest

from kiro_rs_py.convert.search_domains import DomainFilter

URL = "https://docs.Example.com:8443/guide/streams/trio.html?x=1#y"


@pytest.mark.parametrize(
    ("entry", "covered"),
    [
        ("example.com", True),
        ("EXAMPLE.com", True),
        ("docs.example.com", True),
        ("https://docs.example.com", True),
        (" example.com. ", True),
        ("com", True),
        ("www.example.com", False),
        ("ample.com", False),
        ("example.org", False),
        ("example.com/guide", True),
        ("example.com/guide/", True),
        ("example.com/guide/streams", True),
        ("example.com/guid", False),
        ("example.com/Guide", False),
        ("example.com/*", True),
        ("example.com/*/streams", True),
        ("example.com/guide/*", True),
        ("example.com/*/sockets", False),
        ("example.com/guide/trio.html", False),
        ("example.com/guide/streams/trioxhtml", False),
        ("", False),
        ("/guide", False),
        ("*.example.com", False),
    ],
)
def test_entries(entry: str, covered: bool) -> None:
    assert DomainFilter(allowed=(entry,)).admits(URL) is covered
    assert DomainFilter(blocked=(entry,)).admits(URL) is not covered


@pytest.mark.parametrize(("ending", "covered"), [("b", False), ("", True)])
def test_many_asterisks_take_no_longer_than_one(ending: str, covered: bool) -> None:
    entry = DomainFilter(allowed=("example.com/" + "*a" * 100 + "*" + ending,))
    assert entry.admits("https://example.com/" + "a" * 5000) is covered


def test_several_entries() -> None:
    either = ("example.org", "example.com/guide")
    assert DomainFilter(allowed=either).admits(URL)
    assert not DomainFilter(blocked=either).admits(URL)
    assert DomainFilter().admits(URL)


@pytest.mark.parametrize("url", ["", "nonsense", "https://[::1", "https:///path", "mailto:a@example.com"])
def test_a_url_that_cannot_be_read_belongs_to_no_domain(url: str) -> None:
    assert not DomainFilter(allowed=("example.com",)).admits(url)
    assert DomainFilter(blocked=("example.com",)).admits(url)


def test_a_host_alone() -> None:
    assert DomainFilter(allowed=("example.com",)).admits("https://example.com")
    assert not DomainFilter(allowed=("example.com/a",)).admits("https://example.com")
    assert DomainFilter(allowed=("example.com/*",)).admits("https://example.com")
