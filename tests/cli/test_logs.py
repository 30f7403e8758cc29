from __future__ import annotations

import io
import json
import logging
import warnings

import pytest

from kiro_rs_py.cli.logs import LogFilter, choose_log_filter, parse_log_filter, redact, set_up_logging

DEBUG, INFO, WARNING = logging.DEBUG, logging.INFO, logging.WARNING


@pytest.mark.parametrize(
    ("text", "level", "parts"),
    [
        ("", INFO, {}),
        ("debug", DEBUG, {}),
        ("WARN", WARNING, {}),
        ("trace", DEBUG, {}),
        ("off", 60, {}),
        ("upstream.pool=debug", INFO, {"kiro_rs_py.upstream.pool": DEBUG}),
        ("warn, serve=info,httpx=debug", WARNING, {"kiro_rs_py.serve": INFO, "httpx": DEBUG}),
        ("kiro_rs=debug,hyper=warn", INFO, {"kiro_rs_py": DEBUG, "hyper": WARNING}),
        ("kiro-rs::kiro::token_manager=debug", INFO, {"kiro_rs_py": DEBUG}),
    ],
)
def test_filters(text: str, level: int, parts: dict[str, int]) -> None:
    assert parse_log_filter(text) == LogFilter(level, parts)


@pytest.mark.parametrize("text", ["loud", "serve=loud", "=debug", "info;debug"])
def test_bad_filters(text: str) -> None:
    with pytest.raises(ValueError, match="is no log level"):
        parse_log_filter(text)


def test_which_filter_counts() -> None:
    both = {"KIRO_RS_LOG": "warn", "RUST_LOG": "debug"}
    assert choose_log_filter("error", both) == (LogFilter(logging.ERROR), None)
    assert choose_log_filter(None, both) == (LogFilter(WARNING), None)
    assert choose_log_filter(None, {"KIRO_RS_LOG": "", "RUST_LOG": "debug"}) == (LogFilter(DEBUG), None)
    assert choose_log_filter(None, {}) == (LogFilter(), None)


def test_a_wrong_variable_means_info() -> None:
    chosen, warning = choose_log_filter(None, {"RUST_LOG": "[serve]=x"})
    assert chosen == LogFilter()
    assert warning is not None
    assert warning.startswith("RUST_LOG: ")


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer SECRETsecret",
        '{"refreshToken": "SECRETsecret"}',
        '{"accessToken":"SECRETsecret","expiresAt":"x"}',
        '{"clientSecret":"SECRETsecret"}',
        "token aorAAAAAGSECRETsecretSECRETsecret:x/+=",
        "key ksk_SECRETsecret",
        "eyJhbGciOiJSUzI1NiIsInR5cCI6SECRET.eyJSECRET.SECRET",
        "the key is SECRETsecret",
    ],
)
def test_redaction(text: str) -> None:
    redacted = redact(text, ["SECRETsecret"])
    assert "SECRET" not in redacted
    assert "[secret]" in redacted


def test_redaction_leaves_ordinary_text_alone() -> None:
    text = "credential #3: refreshed, next in 3600 s (request req_011CSHoEeqs5C35K2UUqR7Fy)"
    assert redact(text) == text


@pytest.fixture
def log(clean_logging: None) -> io.StringIO:
    return io.StringIO()


def emit(**extra: object) -> None:
    logger = logging.getLogger("kiro_rs_py.upstream.pool")
    logger.debug("hidden")
    try:
        raise ValueError("key-key-key-2")
    except ValueError:
        logger.warning("token %s and %s", "key-key-key", "key-key-key-2", exc_info=True, extra=extra)


def test_text_lines(log: io.StringIO) -> None:
    set_up_logging(LogFilter(), "text", secrets=["key-key-key", "key-key-key-2"], stream=log)
    emit(request_id="req_1")
    first, *trace = log.getvalue().splitlines()
    assert first[10] == "T"
    assert first.endswith("Z WARNING upstream.pool: token [secret] and [secret] [req_1]")
    assert trace[0] == "Traceback (most recent call last):"
    assert trace[-1] == "ValueError: [secret]"


def test_what_a_client_made_up_begins_no_line(log: io.StringIO) -> None:
    set_up_logging(LogFilter(logging.INFO), stream=log)
    logging.getLogger("kiro_rs_py.serve").info("left out %s", "a\nb\r\x1b[31m\u2028c é")
    assert log.getvalue().endswith("left out a\\nb\\r\\x1b[31m\\u2028c é\n")
    assert len(log.getvalue().splitlines()) == 1


def test_json_lines(log: io.StringIO) -> None:
    set_up_logging(LogFilter(), "json", stream=log)
    emit(request_id="req_1")
    logging.getLogger("kiro_rs_py.serve").info("plain")
    logging.getLogger("kiro_rs_py.serve").info("POST", extra={"facts": {"status": 200}})
    with_trace, plain, request = (json.loads(line) for line in log.getvalue().splitlines())
    assert (request["message"], request["status"]) == ("POST", 200)
    assert with_trace["request_id"] == "req_1"
    assert with_trace["traceback"].startswith("Traceback")
    assert with_trace["level"] == "warning"
    assert {key: plain[key] for key in ("logger", "message")} == {"logger": "kiro_rs_py.serve", "message": "plain"}
    assert "request_id" not in plain


def test_levels_of_parts_and_quiet_libraries(log: io.StringIO) -> None:
    set_up_logging(parse_log_filter("upstream.pool=debug"), "text", stream=log)
    for name in ("kiro_rs_py.upstream.pool", "kiro_rs_py.serve", "httpx"):
        logging.getLogger(name).debug("debug of %s", name)
        logging.getLogger(name).info("info of %s", name)
    text = log.getvalue()
    assert "debug of kiro_rs_py.upstream.pool" in text
    assert "debug of kiro_rs_py.serve" not in text
    assert "info of kiro_rs_py.serve" in text
    assert "httpx" not in text


def test_python_warnings_are_log_records(log: io.StringIO) -> None:
    set_up_logging(LogFilter(), "text", stream=log)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("odd", UserWarning, stacklevel=1)
    assert "odd" in log.getvalue()
