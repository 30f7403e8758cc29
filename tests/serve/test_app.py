from __future__ import annotations

import logging

import pytest
import trio
import trio.testing

from kiro_rs_py.config import Config
from kiro_rs_py.config.access_keys import hashed
from kiro_rs_py.errors import Forbidden, InvalidRequest
from kiro_rs_py.serve.app import App, Call, Route, sole_error
from kiro_rs_py.serve.client_keys import KeyRing, new_client_key, utc_now
from tests.serve.in_memory import KEY, Client, ask


async def echo(call: Call) -> None:
    body = await call.inbound.read(1000)
    await call.reply.json(200, {"body": body.decode(), "rest": call.rest, "query": call.query})


async def refuse(call: Call) -> None:
    raise InvalidRequest("messages: field required", error_code="a_code")


async def nested(call: Call) -> None:
    async with trio.open_nursery():
        raise Forbidden("not from here")


async def bug(call: Call) -> None:
    raise KeyError("the client's words")


async def late_bug(call: Call) -> None:
    await call.reply.write(b"event: x\n\n")
    raise KeyError("late")


ROUTES = (
    Route("/", {"GET": echo}, keyed=False, log_level=logging.DEBUG),
    Route("/echo", {"POST": echo}),
    Route("/both", {"GET": echo, "POST": echo}),
    Route("/below", {"GET": echo}, prefix=True),
    Route("/refuse", {"POST": refuse}),
    Route("/nested", {"POST": nested}),
    Route("/bug", {"POST": bug}),
    Route("/late-bug", {"POST": late_bug}),
)


def app(**settings: object) -> App:
    return App(ROUTES, Config(api_key=KEY, **settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("headers", "accepted"),
    [
        ([("x-api-key", KEY)], True),
        ([("authorization", f"Bearer {KEY}")], True),
        ([("Authorization", f"bearer  {KEY} ")], True),
        ([("x-api-key", KEY), ("authorization", f"Bearer {KEY}")], True),
        ([("x-api-key", "wrong"), ("authorization", f"Bearer {KEY}")], True),
        ([("x-api-key", KEY), ("authorization", "Bearer wrong")], True),
        ([("x-api-key", "wrong"), ("x-api-key", KEY)], True),
        ([("x-api-key", "wrong"), ("authorization", "Bearer wrong")], False),
        ([("x-api-key", "")], False),
        ([("x-api-key", KEY + "x")], False),
        ([("x-api-key", KEY[:-1])], False),
        ([("x-api-key", "\xff\xfe")], False),
        ([("authorization", KEY)], False),
        ([("authorization", f"Basic {KEY}")], False),
        ([("authorization", "Bearer ")], False),
        ([("cookie", f"x-api-key={KEY}")], False),
        ([], False),
    ],
)
async def test_one_valid_key_is_enough(headers: list[tuple[str, str]], accepted: bool) -> None:
    answer = await ask(app(), "POST", "/echo", b"hello", headers=headers, key=None)
    if accepted:
        assert answer.status == 200
    else:
        assert answer.status == 401
        assert answer.json["error"]["type"] == "authentication_error"
        assert answer.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "gzip, identity", "deflate\xff" + "x" * 99])
async def test_a_compressed_body_is_refused_before_it_is_read(encoding: str) -> None:
    answer = await ask(app(), "POST", "/echo", b"\x1f\x8b\x08", headers=[("content-encoding", encoding)])
    assert (answer.status, answer.json["error"]["type"]) == (415, "invalid_request_error")
    assert f"content encoding {encoding[:40]}. Send it without" in answer.json["error"]["message"]


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
async def test_no_content_encoding_by_its_name(encoding: str) -> None:
    answer = await ask(app(), "POST", "/echo", b"hello", headers=[("content-encoding", encoding)])
    assert (answer.status, answer.json["body"]) == (200, "hello")


async def test_an_empty_key_in_the_config_lets_nobody_in() -> None:
    locked = App(ROUTES, Config(api_key=""))
    assert (await ask(locked, "POST", "/echo", key="")).status == 401
    assert (await ask(locked, "POST", "/echo", key=None)).status == 401


async def test_a_hashed_key_opens_as_the_key_itself_does() -> None:
    locked = App(ROUTES, Config(api_key=hashed(KEY)))
    assert (await ask(locked, "POST", "/echo", key=KEY)).status == 200
    assert (await ask(locked, "POST", "/echo", key=hashed(KEY))).status == 401


async def test_a_created_key_opens_too_and_is_told_to_the_handler() -> None:
    seen: list[tuple[str, str | None]] = []

    async def look(call: Call) -> None:
        seen.append((call.record.key, call.client_key.id if call.client_key else None))
        await call.reply.empty(204)

    key, secret = new_client_key("laptop", utc_now())
    ring = KeyRing([key])
    both = App([Route("/look", {"GET": look})], Config(api_key=KEY), ring=ring)
    for presented in (KEY, secret):
        assert (await ask(both, "GET", "/look", key=presented)).status == 204
    sent_together = [("x-api-key", secret), ("authorization", f"Bearer {KEY}")]
    assert (await ask(both, "GET", "/look", headers=sent_together, key=None)).status == 204
    assert seen == [("config", None), (key.id, key.id), ("config", None)]
    refused = (await ask(both, "GET", "/look", key="wrong")).json["error"]
    ring.take([])
    answer = await ask(both, "GET", "/look", key=secret)
    assert (answer.status, answer.json["error"]) == (401, refused)


async def test_the_key_can_be_changed_while_running() -> None:
    running = app()
    running.configure(Config(api_key="another-key"))
    assert (await ask(running, "POST", "/echo")).status == 401
    assert (await ask(running, "POST", "/echo", key="another-key")).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "type_"),
    [
        ("GET", "/unknown", 404, "not_found_error"),
        ("POST", "/v1/v1/messages", 404, "not_found_error"),
        ("GET", "/echo", 405, "invalid_request_error"),
        ("BREW", "/echo", 405, "invalid_request_error"),
        ("GET", "/echo/below", 404, "not_found_error"),
        ("POST", "/refuse", 400, "invalid_request_error"),
        ("POST", "/nested", 403, "permission_error"),
        ("POST", "/bug", 500, "api_error"),
    ],
)
async def test_every_error_has_the_envelope(method: str, path: str, status: int, type_: str) -> None:
    answer = await ask(app(), method, path)
    assert answer.status == status
    assert answer.json["type"] == "error"
    assert answer.json["error"]["type"] == type_
    assert answer.json["request_id"] == answer.headers["request-id"]
    assert answer.headers["request-id"].startswith("req_")


async def test_a_wrong_method_names_the_right_ones_but_not_the_client_s_word() -> None:
    answer = await ask(app(), "BREW", "/both")
    assert answer.headers["allow"] == "GET, POST"
    assert "BREW" not in answer.json["error"]["message"]
    assert (await ask(app(), "GET", "/echo", key=None)).status == 401  # the key comes first


async def test_the_doubled_v1_is_explained() -> None:
    answer = await ask(app(), "POST", "/v1/v1/messages")
    assert "must not end in /v1" in answer.json["error"]["message"]


@pytest.mark.parametrize("path", ["/messages", "/cc/messages", "/messages/count_tokens/", "/models"])
async def test_the_missing_v1_is_explained(path: str) -> None:
    answer = await ask(app(), "POST", path)
    assert answer.status == 404
    assert "must end in /v1" in answer.json["error"]["message"]


async def test_the_error_code_is_in_the_details() -> None:
    answer = await ask(app(), "POST", "/refuse")
    assert answer.json["error"]["details"] == {"error_code": "a_code"}


@pytest.mark.parametrize("path", ["/echo", "/echo/", "/echo?beta=true", "/echo/?a&b=%ff&%00=1"])
async def test_a_slash_and_any_query_are_forgiven(path: str) -> None:
    assert (await ask(app(), "POST", path)).status == 200


async def test_a_prefix_route_gets_the_rest() -> None:
    assert (await ask(app(), "GET", "/below")).json["rest"] == ""
    assert (await ask(app(), "GET", "/below/a/b/?x=1")).json == {"body": "", "rest": "a/b", "query": {"x": "1"}}
    assert (await ask(app(), "GET", "/belowx/a")).status == 404
    both = App((*ROUTES, Route("/below/deep", {"GET": echo}, prefix=True)), Config(api_key=KEY))
    assert (await ask(both, "GET", "/below/deep/a")).json["rest"] == "a"


async def test_keyless_routes_ask_for_no_key_and_head_is_get() -> None:
    assert (await ask(app(), "GET", "/", key=None)).status == 200
    assert (await ask(app(), "HEAD", "/", key=None)).status == 200


async def test_a_failure_after_the_start_cuts_the_answer() -> None:
    answer = await ask(app(), "POST", "/late-bug")
    assert answer.status == 200
    assert not answer.complete


async def test_a_bug_is_logged_with_its_traceback_and_the_client_hears_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = await ask(app(), "POST", "/bug")
    assert "words" not in answer.body.decode()
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info
    assert record.exc_info[0] is KeyError


async def test_a_client_that_leaves_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    client = Client(app())
    client.say(b"half", more=True)
    client.leave()
    answer = await client.call("POST", "/echo", headers=[("content-length", "100")])
    assert answer.status == 0
    assert "(client left)" in caplog.text


async def test_probes_are_not_logged_at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await ask(app(), "GET", "/", key=None)
    assert not caplog.records
    await ask(app(), "GET", "/below/secret/words")
    assert [record.getMessage().startswith("GET /below 200 ") for record in caplog.records] == [True]


async def test_unknown_paths_are_not_logged_as_written(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await ask(app(), "GET", "/secret-words")
    assert "(unknown route) 404" in caplog.text
    assert "secret" not in caplog.text


async def test_a_part_can_be_mounted_later_and_sees_every_request() -> None:
    seen: list[str] = []
    running = app()
    running.mount([Route("/late", {"POST": echo})], lambda call: seen.append(call.record.route))
    assert (await ask(running, "POST", "/late")).status == 200
    await ask(running, "POST", "/echo", key="wrong")
    assert seen == ["/late", "/echo"]


async def test_observers_see_what_was_cut_short_too() -> None:
    seen: list[str] = []

    async def wait(call: Call) -> None:
        await trio.sleep_forever()

    running = App([Route("/wait", {"GET": wait})], Config(api_key=KEY), [lambda call: seen.append(call.record.outcome)])
    with trio.move_on_after(0.01):
        await ask(running, "GET", "/wait")
    assert seen == ["cut short"]


# --- the body ---------------------------------------------------------------------------------------------------------


async def test_a_body_over_the_limit_is_refused_at_once_and_drained() -> None:
    client = Client(app())
    client.say(b"a" * 600, more=True)
    client.say(b"a" * 600)
    answer = await client.call("POST", "/echo", headers=[("content-length", "1200")])
    assert (answer.status, answer.json["error"]["type"]) == (413, "request_too_large")
    assert answer.complete


async def test_a_chunked_body_over_the_limit_is_refused_when_it_gets_there() -> None:
    client = Client(app())
    for _ in range(3):
        client.say(b"a" * 500, more=True)
    client.say(b"")
    answer = await client.call("POST", "/echo", headers=[("transfer-encoding", "chunked")])
    assert answer.status == 413
    assert answer.complete


async def test_a_body_that_stops_coming_is_a_408(autojump_clock: trio.testing.MockClock) -> None:
    client = Client(app())
    client.say(b"half", more=True)
    answer = await client.call("POST", "/echo", headers=[("content-length", "100")])
    assert (answer.status, answer.headers["connection"]) == (408, "close")
    assert 60 <= trio.current_time() < 62  # and nothing is waited for afterwards


async def test_an_early_answer_waits_for_an_endless_upload_only_so_long(
    autojump_clock: trio.testing.MockClock,
) -> None:
    client = Client(app())
    async with trio.open_nursery() as nursery:

        async def upload() -> None:
            while True:
                client.say(b"a", more=True)
                await trio.sleep(1)

        nursery.start_soon(upload)
        answer = await client.call("POST", "/echo", headers=[("content-length", "100000")], key="wrong")
        nursery.cancel_scope.cancel()
    assert answer.status == 401
    assert answer.complete
    assert answer.parts[0][0] == 0  # the answer itself does not wait


# --- CORS -------------------------------------------------------------------------------------------------------------

PAGE = "https://app.example"
PREFLIGHT = [
    ("origin", PAGE),
    ("access-control-request-method", "POST"),
    ("access-control-request-headers", "x-api-key, content-type"),
]


async def test_no_page_may_read_by_default() -> None:
    answer = await ask(app(), "OPTIONS", "/echo", headers=PREFLIGHT, key=None)
    assert answer.status == 204
    assert answer.headers["allow"] == "POST, OPTIONS"
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_configured_origin_may() -> None:
    cors = app(cors_origins=(PAGE + "/",))
    private = [*PREFLIGHT, ("access-control-request-private-network", "true")]
    answer = await ask(cors, "OPTIONS", "/echo", headers=private, key=None)
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-headers"] == "x-api-key, content-type"
    assert answer.headers["access-control-allow-private-network"] == "true"
    answer = await ask(cors, "POST", "/echo", headers=[("origin", PAGE)])
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "request-id" in answer.headers["access-control-expose-headers"]
    answer = await ask(cors, "POST", "/echo", headers=[("origin", "https://evil.example")])
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["vary"] == "origin"


async def test_a_star_means_every_origin_but_not_none() -> None:
    answer = await ask(app(cors_origins=("*",)), "POST", "/refuse", headers=[("origin", PAGE)])
    assert answer.headers["access-control-allow-origin"] == PAGE
    answer = await ask(app(cors_origins=("*",)), "POST", "/refuse")
    assert "access-control-allow-origin" not in answer.headers


async def test_other_protocols_are_refused() -> None:
    with pytest.raises(ValueError, match="websocket"):
        await app()({"type": "websocket"}, None, None)  # type: ignore[arg-type]


def test_groups_of_more_than_one_stay_groups() -> None:
    pair = ExceptionGroup("", [ValueError(), KeyError()])
    assert sole_error(ExceptionGroup("", [pair])) is pair
