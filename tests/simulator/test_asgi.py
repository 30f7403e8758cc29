from __future__ import annotations

from kiro_rs_py.simulator.app import Simulator
from kiro_rs_py.simulator.asgi import Answer, Request, answer_with, compact, json_answer, page, redirect
from tests.simulator.talk import eventually, talking


def request(body: bytes, headers: tuple[tuple[str, str], ...] = ()) -> Request:
    return Request("POST", "/x", {}, headers, body)


def test_the_body_is_read_as_json_or_form() -> None:
    assert request(b'{"a":1}').json == {"a": 1}
    assert request(b"[1]").json_object == {}
    assert request(b"not json").json is None
    assert request(b"a=1&b=x+y").form == {"a": "1", "b": "x y"}


def test_headers_are_found_by_lower_case_name() -> None:
    asked = request(b"", (("a", "1"), ("a", "2")))
    assert asked.header("a") == "1"
    assert asked.header("b") is None


def test_nothing_of_the_body_is_in_the_repr() -> None:
    assert repr(request(b"secret")) == "Request(POST /x, 6 bytes)"


def test_answers() -> None:
    assert json_answer({"a": "ä"}, 201) == Answer(201, '{"a":"ä"}'.encode())
    assert redirect("/there").headers == (("location", "/there"),)
    assert b"<h1>a &lt; b</h1>" in page("a < b", "").body
    assert compact([1, {"a": None}]) == '[1,{"a":null}]'


def test_bodies_of_any_kind() -> None:
    assert answer_with(500, {"a": 1}, {}) == Answer(500, b'{"a":1}')
    assert answer_with(500, "text", {}) == Answer(500, b"text", "text/plain")
    assert answer_with(500, b"\x00", {}) == Answer(500, b"\x00", "application/octet-stream")
    assert answer_with(500, None, {}) == Answer(500, b"")
    answer = answer_with(500, "x", {"Content-Type": "text/html", "Retry-After": "1"})
    assert (answer.content_type, answer.headers) == ("text/html", (("retry-after", "1"),))


async def test_recorded_requests_keep_order_query_and_body() -> None:
    async with talking() as talk:
        headers = {"x-first": "1", "X-Second": "2"}
        await talk.call("POST", "/mcp?a=b%20c&d=", {"k": ["ü"]}, headers=headers)
        (recorded,) = talk.simulator.requests_to("/mcp")
        assert recorded.query == {"a": "b c", "d": ""}
        assert recorded.json == {"k": ["ü"]}
        names = [name for name, _ in recorded.headers]
        assert names.index("x-first") < names.index("x-second")


async def test_a_client_that_leaves_in_its_body_is_forgotten() -> None:
    simulator = Simulator()
    async with talking(simulator) as talk:
        stream = await talk.connect()
        await stream.send_all(b"POST /mcp HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{")
        await stream.aclose()
        await talk.call("GET", "/healthz")
        await eventually(lambda: not simulator.requests)
        assert not simulator.counts
