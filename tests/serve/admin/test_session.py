from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kiro_rs_py.serve.admin.session import (
    ABSOLUTE,
    IDLE,
    MOST_SESSIONS,
    Sessions,
    cookie_header,
    cookie_in,
    expired_cookie_header,
)


class Wall:
    def __init__(self) -> None:
        self.time = datetime(2026, 2, 13, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


def test_a_session_ends_when_nobody_uses_it() -> None:
    wall = Wall()
    sessions = Sessions(wall)
    token, session = sessions.open()
    for _ in range(3):
        wall.time += IDLE - timedelta(seconds=1)
        assert sessions.find(token) is session
    wall.time += IDLE
    assert not sessions.is_alive(session)
    assert sessions.find(token) is None


def test_looking_does_not_keep_it_alive() -> None:
    wall = Wall()
    sessions = Sessions(wall)
    _, session = sessions.open()
    wall.time += IDLE - timedelta(seconds=1)
    assert sessions.is_alive(session)
    wall.time += timedelta(seconds=1)
    assert not sessions.is_alive(session)


def test_a_session_ends_after_a_week_however_much_it_is_used() -> None:
    wall = Wall()
    sessions = Sessions(wall)
    token, session = sessions.open()
    while wall.time - session.opened_at < ABSOLUTE - IDLE / 2:
        wall.time += IDLE / 2
        assert sessions.find(token) is session
    assert session.expires_at == session.opened_at + ABSOLUTE
    wall.time += IDLE / 2
    assert sessions.find(token) is None


def test_closing() -> None:
    sessions = Sessions(Wall())
    (one, first), (two, _) = sessions.open(), sessions.open()
    sessions.close(first)
    sessions.close(first)
    assert sessions.find(one) is None
    assert sessions.find(two) is not None
    sessions.close_all()
    assert sessions.find(two) is None


def test_there_are_only_so_many() -> None:
    sessions = Sessions(Wall())
    tokens = [sessions.open()[0] for _ in range(2)]
    assert sessions.find(tokens[0]) is not None  # so the other one is the longest unused
    tokens += [sessions.open()[0] for _ in range(MOST_SESSIONS - 1)]
    assert sessions.find(tokens[1]) is None
    assert sessions.find(tokens[0]) is not None


def test_tokens_are_unguessable_and_not_shown() -> None:
    sessions = Sessions(Wall())
    (one, first), (two, second) = sessions.open(), sessions.open()
    assert len({one, two, first.csrf_token, second.csrf_token}) == 4
    assert min(map(len, (one, first.csrf_token))) >= 43  # 256 bits
    assert not any(secret in repr(first) for secret in (one, first.csrf_token, first.digest.hex()))
    assert first.owns(first.csrf_token)
    assert not any(first.owns(other) for other in ("", second.csrf_token, first.csrf_token[:-1], "\udcff"))


def test_the_cookie() -> None:
    assert cookie_header("abc", secure=False) == (
        b"set-cookie",
        b"kiro_admin=abc; Path=/; HttpOnly; SameSite=Strict",
    )
    assert cookie_header("abc", secure=True)[1].endswith(b"; Secure")
    assert b"kiro_admin=;" in expired_cookie_header(secure=False)[1]
    assert expired_cookie_header(secure=False)[1].endswith(b"Max-Age=0")


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (None, None),
        ("", None),
        ("kiro_admin=abc", "abc"),
        ("a=b; kiro_admin=abc; c=d", "abc"),
        ("a=b;kiro_admin=a=b", "a=b"),
        ("xkiro_admin=abc", None),
        ("kiro_admin=", None),
        ("kiro_admin", None),
    ],
)
def test_reading_the_cookie(header: str | None, value: str | None) -> None:
    assert cookie_in(header) == value
