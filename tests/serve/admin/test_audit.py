from __future__ import annotations

import logging

import pytest

from kiro_rs_py.serve.admin.audit import MOST_ACTIONS, Audit
from tests.serve.admin.test_overview import NOW


def test_an_action_is_remembered_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    audit = Audit(lambda: NOW)
    audit.note("credential.delete", who="session", peer="192.0.2.1", outcome="done", credential_id=3)
    audit.note("session.open", who="key", peer="192.0.2.2", outcome="wrong_key")
    assert audit.latest() == [
        {
            "time": "2026-02-13T10:00:00+00:00", "who": "key", "peer": "192.0.2.2", "action": "session.open",
            "credentialId": None, "outcome": "wrong_key",
        },
        {
            "time": "2026-02-13T10:00:00+00:00", "who": "session", "peer": "192.0.2.1", "action": "credential.delete",
            "credentialId": 3, "outcome": "done",
        },
    ]  # fmt: skip
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.INFO, "credential.delete of credential #3 by session from 192.0.2.1: done"),
        (logging.WARNING, "session.open by key from 192.0.2.2: wrong_key"),
    ]


def test_only_so_many() -> None:
    audit = Audit(lambda: NOW)
    for number in range(MOST_ACTIONS + 5):
        audit.note("x", who="key", peer="", outcome="done", credential_id=number)
    latest = audit.latest()
    assert len(latest) == MOST_ACTIONS
    assert isinstance(latest[0], dict)
    assert latest[0]["credentialId"] == MOST_ACTIONS + 4
