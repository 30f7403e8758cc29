"""What a proxy must do to satisfy real clients: the eleven points of clients §4, over real sockets.

What other tests of this folder prove already is named here and not repeated. The rest is below for points 1 to 4, in
test_acceptance_answers for 6 to 11.

==  =========================================  =====================================================================
1   either key alone, query, HEAD without key  test_conversations.test_keys_and_probes
1   unknown beta, version, stainless headers   test_conversations.test_claude_code_s_headers_are_no_trouble
5   tool choice                                test_tools.test_tool_choice
5   structured output                          test_tools.test_structured_output
5   the single-tool web_search request         test_web_search.test_a_lone_search
5   the same as Claude Code sends it           test_web_search.test_claude_codes_own_request
6   a cut tool call is not closed              test_tools.test_a_cut_call_and_the_turn_after_it
6   pings, also while /cc holds                test_conversations.test_pings_over_a_socket
7   in mid-stream: one error event, the last   test_faults.test_after_it_a_live_stream_gets_one_error_event
7   before the first byte: a status            test_faults.test_before_the_first_byte_it_is_a_status
7   too long: told before the answer           test_bad_requests.test_a_long_prompt_has_the_words_clients_compact_on
8   every upstream failure: status, headers    test_error_matrix.test_cell
8   bad input: the envelope                    test_bad_requests.test_the_envelope_and_a_proxy_that_stays_up
8   the numbers in "prompt is too long"        test_numbers.test_the_number_in_a_refusal_is_larger_than_the_maximum
8   401 with x-should-retry                    test_bad_requests.test_a_wrong_key_is_answered_during_the_upload
8   529 of our own, with retry-after           test_conversations.test_the_ceiling
10  true input tokens in every mode            test_numbers.test_the_service_s_own_figure_in_every_mode
10  count_tokens roughly right                 test_numbers.test_estimates_improve_with_use
10  the models list by a strict SDK            test_sdk.test_models
11  a hang-up frees the upstream               test_conversations.test_a_hang_up_frees_the_upstream
11  the SDK leaves its stream                  test_sdk.test_a_stream_that_is_left_frees_the_upstream
11  eight streams without cross-talk           test_conversations.test_eight_at_once_without_cross_talk
==  =========================================  =====================================================================
"""

from __future__ import annotations

import base64
import importlib
import json
import re
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest
import trio

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator.app import CHAT
from tests.convert.pdfs import pdf
from tests.e2e.acceptance import CLIENTS, MODES, READ, check_grammar, converse, current_of, recorded, said, state_of
from tests.e2e.test_sdk import with_sdk
from tests.proxy import HELD, KEY, MODEL, SAY_HELLO, STREAM, Proxy, raw_request, request_of
from tests.simulator.talk import PNG

EPHEMERAL: Json = {"type": "ephemeral", "ttl": "1h"}
HELLO: JsonObject = {"role": "user", "content": SAY_HELLO}


def test_what_is_named_above_exists() -> None:
    named = re.findall(r"(test_\w+)\.(test_\w+)$", __doc__ or "", re.MULTILINE)
    assert len(named) > 15
    for module, test in named:
        assert hasattr(importlib.import_module(f"tests.e2e.{module}"), test), f"{module}.{test}"


# --- 1: keys, headers, probes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [KEY, "wrong"])
async def test_1_two_keys_one_of_which_is_right(first: str, proxy: Proxy) -> None:
    second = "wrong" if first == KEY else KEY
    headers = {"x-api-key": first, "authorization": f"Bearer {second}"}
    assert (await proxy.client.post(STREAM, headers=headers, json=request_of())).status_code == 200


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21", "2099-12-31", "tomorrow", None])
async def test_1_any_version_or_none(version: str | None, proxy: Proxy) -> None:
    headers = {} if version is None else {"anthropic-version": version}
    response = await proxy.client.post(f"{STREAM}?beta=true&x=%00", headers=headers, json=request_of())
    assert response.status_code == 200


async def test_1_heads_end_at_once_and_are_no_abuse(proxy: Proxy) -> None:
    """Without a key, many of them, on the one connection that then carries the message."""
    async with await trio.open_tcp_stream("127.0.0.1", proxy.port) as stream:
        for path in ("/", "/api/hello") * 20:
            await stream.send_all(f"HEAD {path} HTTP/1.1\r\nhost: a\r\n\r\n".encode())
            head = b""
            while b"\r\n\r\n" not in head:
                head += await stream.receive_some()
            assert head.startswith(b"HTTP/1.1 200 ")
            assert head.endswith(b"\r\n\r\n")  # no body
        await stream.send_all(raw_request(header="connection: close\r\n"))
        received = b"".join([part async for part in stream])
    assert received.startswith(b"HTTP/1.1 200 ")
    assert b"hello" in received


# --- 2: the shapes of system and content ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "system",
    [
        "Be brief.",
        [{"type": "text", "text": "Be brief."}],
        [{"type": "text", "text": "Be"}, {"type": "text", "text": "brief.", "cache_control": EPHEMERAL}],
        None,
    ],
    ids=["string", "list", "two", "absent"],
)
@pytest.mark.parametrize(
    "content", ["<<SAY hello>>", [{"type": "text", "text": "<<SAY hello>>"}]], ids=["text", "list"]
)
async def test_2_system_and_content(system: Json, content: Json, proxy: Proxy) -> None:
    fields: dict[str, Any] = {} if system is None else {"system": system}
    assert said(await converse(proxy, messages=[{"role": "user", "content": content}], **fields)) == "hello"
    sent = json.dumps(state_of(proxy))
    assert ("brief." in sent) == (system is not None)


LATE_SYSTEM: list[JsonObject] = [
    {"role": "system", "content": "Mind the rules."},
    {"role": "system", "content": "Mind the rules.", "output_config": {"effort": "medium"}},
    {"role": "system", "content": [{"type": "text", "text": "Mind the rules.", "cache_control": EPHEMERAL}]},
]


@pytest.mark.parametrize("note", LATE_SYSTEM, ids=["plain", "own output_config", "cached"])
@pytest.mark.parametrize("place", ["first", "last", "between"])
async def test_2_system_inside_messages(place: str, note: JsonObject, proxy: Proxy) -> None:
    """It reaches the model, and the last user turn is found behind it: the directive there is followed."""
    earlier: list[JsonObject] = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello there"}]
    messages: dict[str, list[JsonObject]] = {
        "first": [note, *earlier, HELLO],
        "last": [*earlier, HELLO, note],
        "between": [earlier[0], note, earlier[1], HELLO],
    }
    assert said(await converse(proxy, messages=list[Json](messages[place]))) == "hello"
    assert "Mind the rules." in json.dumps(state_of(proxy))
    current = current_of(proxy)["content"]
    assert SAY_HELLO in current
    assert ("Mind the rules." in current) == (place == "last")


async def test_2_a_reminder_behind_a_tool_result(proxy: Proxy) -> None:
    """As newer Claude Codes put it: the result is still the result of this turn."""
    call: Json = {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"path": "a"}}
    messages: list[Json] = [
        {"role": "user", "content": '<<CALL Read {"path": "a"}>>'},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "nonce 4711"}]},
        {"role": "system", "content": "Mind the rules."},
    ]
    assert said(await converse(proxy, messages=messages, tools=[READ])) == "TOOL-RESULT: nonce 4711"
    assert "Mind the rules." in current_of(proxy)["content"]


# --- 3: what is accepted, and what is refused -------------------------------------------------------------------------

ACCEPTED: dict[str, JsonObject] = {
    "cache_control": {"cache_control": EPHEMERAL},
    "cache_control on a tool": {"tools": [{**READ, "cache_control": EPHEMERAL}]},
    "metadata": {"metadata": {"user_id": '{"device_id":"d","account_uuid":"","session_id":"s"}'}},
    "context_management": {"context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}},
    "effort": {"output_config": {"effort": "xhigh"}},
    "thinking enabled": {"thinking": {"type": "enabled", "budget_tokens": 31999}, "max_tokens": 32000},
    "thinking over max_tokens": {"thinking": {"type": "enabled", "budget_tokens": 32000}, "max_tokens": 8000},
    "thinking adaptive": {"thinking": {"type": "adaptive", "display": "updates"}},
    "thinking summarized": {"thinking": {"type": "enabled", "budget_tokens": 8192, "display": "summarized"}},
    "thinking disabled": {"thinking": {"type": "disabled"}},
    "sampling": {"temperature": 1, "top_p": 0.9, "top_k": 40},
    "stop_sequences": {"stop_sequences": ["never", "\n\nHuman:"]},
    "tool type": {"tools": [{**READ, "type": "custom"}]},
    "eager_input_streaming": {"tools": [{**READ, "eager_input_streaming": True}]},
    "defer_loading": {"tools": [READ, {**READ, "name": "Later", "defer_loading": True}]},
    "strict": {"tools": [{**READ, "strict": True}]},
    "safeguards": {"safeguards": [{"type": "dangerous_tool_use"}]},
    "unknown": {"service_tier": "auto", "speed": "fast", "container": None, "something_new": {"a": [1]}},
}


@pytest.mark.parametrize("path", [STREAM, HELD])
@pytest.mark.parametrize("fields", ACCEPTED.values(), ids=ACCEPTED)
async def test_3_accepted_silently(fields: JsonObject, path: str, proxy: Proxy) -> None:
    assert said(await converse(proxy, path, **fields)) == "hello"


async def test_3_cache_control_in_every_block(proxy: Proxy) -> None:
    call: Json = {
        "type": "tool_use",
        "id": "toolu_1",
        "name": "Read",
        "input": {"path": "a"},
        "cache_control": EPHEMERAL,
    }
    result: Json = {
        "type": "tool_result",
        "tool_use_id": "toolu_1",
        "content": [{"type": "text", "text": "nonce 4711", "cache_control": EPHEMERAL}],
        "cache_control": EPHEMERAL,
    }
    prompt: Json = {"type": "text", "text": '<<CALL Read {"path": "a"}>>', "cache_control": EPHEMERAL}
    messages: list[Json] = [
        {"role": "user", "content": [prompt]},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    ]
    assert said(await converse(proxy, messages=messages, tools=[READ])) == "TOOL-RESULT: nonce 4711"
    assert "cache_control" not in json.dumps(state_of(proxy))


THREADS: list[JsonObject] = [{"type": "create"}, {"type": "continue", "previous_message_id": "msg_1"}, {}]


@pytest.mark.parametrize("thread", THREADS, ids=["create", "continue", "empty"])
@pytest.mark.parametrize(("path", "stream"), MODES)
async def test_3_a_thread_is_refused(path: str, stream: bool, thread: JsonObject, proxy: Proxy) -> None:
    response = await proxy.ask(path=path, stream=stream, thread=thread)
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["details"] == {"error_code": "thread_unsupported_request"}
    assert not proxy.simulator.counts[CHAT]


@pytest.mark.real_client
async def test_3_the_tool_runner_then_sends_plain_turns(proxy: Proxy) -> None:
    """One refused request, and from then on the whole history in each (clients §2)."""
    bodies: list[dict[str, Any]] = []
    statuses: list[int] = []

    def work(client: anthropic.Anthropic) -> str:
        @anthropic.beta_tool
        def lookup(word: str) -> str:
            """Look a word up.

            Args:
                word: The word.
            """
            return f"nonce-4711 {word}"

        with anthropic.DefaultHttpxClient(event_hooks={"request": [note_request], "response": [note_status]}) as http:
            runner = client.with_options(http_client=http).beta.messages.tool_runner(
                model="claude-opus-5-5",
                max_tokens=100,
                messages=[{"role": "user", "content": '<<CALL lookup {"word": "x"}>> <<CALL lookup {"word": "y"}>>'}],
                tools=[lookup],
            )
            return "".join(block.text for block in runner.until_done().content if block.type == "text")

    def note_request(request: httpx2.Request) -> None:
        bodies.append(json.loads(request.content))

    def note_status(response: httpx2.Response) -> None:
        statuses.append(response.status_code)

    assert await with_sdk(proxy, work, _strict_response_validation=False) == "TOOL-RESULT: nonce-4711 y"
    assert statuses == [400, 200, 200, 200]
    assert ["thread" in body for body in bodies] == [True, False, False, False]
    assert [len(body["messages"]) for body in bodies] == [1, 1, 3, 5]


# --- 4: tool results, tools and sizes ---------------------------------------------------------------------------------

PICTURE: JsonObject = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
PAPER: JsonObject = {
    "type": "document",
    "source": {
        "type": "base64",
        "media_type": "application/pdf",
        "data": base64.b64encode(pdf("nonce 4711 on paper")).decode(),
    },
}
PLAIN_PAPER: JsonObject = {
    "type": "document",
    "source": {"type": "text", "media_type": "text/plain", "data": "nonce 4711"},
}
TEXT: JsonObject = {"type": "text", "text": "nonce 4711 é 世界"}
# The content of a result and what the model is to see of it.
RESULTS: dict[str, tuple[Json, str]] = {
    "string": ("nonce 4711", "nonce 4711"),
    "texts": ([TEXT, {"type": "text", "text": "and more"}], "nonce 4711 é 世界"),
    "image": ([PICTURE], "[1 image]"),
    "image and text": ([TEXT, PICTURE], "nonce 4711"),
    "pdf": ([PAPER], "nonce 4711 on paper"),
    "document": ([PLAIN_PAPER], "nonce 4711"),
    "tool_reference": ([{"type": "tool_reference", "tool_name": "Later"}], "Later"),
    "empty string": ("", "TOOL-RESULT:"),
    "empty list": ([], "TOOL-RESULT:"),
    "nothing": (None, "TOOL-RESULT:"),
    "json": ([{"type": "search_result", "title": "nonce 4711", "source": "s", "content": [TEXT]}], "nonce 4711"),
}


def tool_turns(*results: JsonObject, name: str = "Read", thinking: JsonObject | None = None) -> list[Json]:
    """A prompt, one call for each result, and the results in one message."""
    calls: list[Json] = [
        {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": {} if number else {"path": "a"}}
        for number in range(len(results))
    ]
    blocks: list[Json] = [
        {"type": "tool_result", "tool_use_id": f"toolu_{number}", **result} for number, result in enumerate(results)
    ]
    prompt: Json = f'<<CALL {name} {{"path": "a"}}>>'
    return [
        {"role": "user", "content": prompt},
        {"role": "assistant", "content": [*([thinking] if thinking else []), *calls]},
        {"role": "user", "content": blocks},
    ]


@pytest.mark.parametrize("is_error", [True, False, None])
@pytest.mark.parametrize(("content", "seen"), RESULTS.values(), ids=RESULTS)
async def test_4_contents_of_a_tool_result(content: Json, seen: str, is_error: bool | None, proxy: Proxy) -> None:
    result: JsonObject = {} if content is None else {"content": content}
    if is_error is not None:
        result["is_error"] = is_error
    later: JsonObject = {**READ, "name": "Later", "defer_loading": True}
    assert seen in said(await converse(proxy, messages=tool_turns(result), tools=[READ, later]))
    [sent] = current_of(proxy)["userInputMessageContext"]["toolResults"]
    assert sent["status"] == ("error" if is_error else "success")


async def test_4_several_results_and_text_after_them(proxy: Proxy) -> None:
    messages: Any = tool_turns({"content": "one"}, {"content": "two", "is_error": True}, {"content": [TEXT]})
    messages[-1]["content"].append({"type": "text", "text": "And now?"})
    assert said(await converse(proxy, messages=messages, tools=[READ])) == f"TOOL-RESULT: {TEXT['text']}"
    current = current_of(proxy)
    sent = current["userInputMessageContext"]["toolResults"]
    assert [result["status"] for result in sent] == ["success", "error", "success"]
    assert current["content"].endswith("And now?")


@pytest.mark.parametrize(
    "thinking",
    [
        {"type": "thinking", "thinking": "Hmm."},
        {"type": "thinking", "thinking": "Hmm.", "signature": ""},
        {"type": "thinking", "thinking": "", "signature": "c2lnbmVk"},
        {"type": "redacted_thinking", "data": "c2VjcmV0"},
    ],
    ids=["unsigned", "empty signature", "foreign signature", "redacted"],
)
@pytest.mark.parametrize("model", [MODEL, "claude-opus-5-5"])
async def test_4_thinking_that_comes_back(model: str, thinking: JsonObject, proxy: Proxy) -> None:
    messages = tool_turns({"content": "nonce 4711"}, thinking=thinking)
    message = await converse(proxy, model=model, messages=messages, tools=[READ])
    assert said(message) == "TOOL-RESULT: nonce 4711"


async def test_4_names_and_characters(proxy: Proxy) -> None:
    """Double underscores, more than 63 bytes, other scripts: the client gets its own name and text back."""
    for name in ("mcp__files__read", f"mcp__{'long_' * 20}name", "läs.fil", "读取"):
        call = f'<<CALL {name} {{"path": "/tmp/世界 é 🎉"}}>>'
        message = await converse(
            proxy, messages=[{"role": "user", "content": call}], tools=[{**READ, "name": name}, READ]
        )
        [used] = [block for block in message["content"] if block["type"] == "tool_use"]
        assert (used["name"], used["input"]) == (name, {"path": "/tmp/世界 é 🎉"})
        turns = tool_turns({"content": "nonce 4711"}, name=name)
        assert said(await converse(proxy, messages=turns, tools=[{**READ, "name": name}, READ])).endswith("4711")


@pytest.mark.parametrize("count", [1, 26])
async def test_4_many_and_large_tools(count: int, proxy: Proxy) -> None:
    """90 kB of schemas and more than 100 kB in all."""
    about = "Says at length what it does. " * (90_000 // count // 29)
    tools: list[Json] = [{**READ, "name": f"Read{number}", "description": about} for number in range(count)]
    body = request_of(f'<<CALL Read{count - 1} {{"path": "a"}}>>', tools=tools, system="Be brief. " * 3000)
    assert len(json.dumps(body)) > 100_000
    message = (await proxy.client.post(STREAM, json=body)).json()
    assert [block["name"] for block in message["content"] if block["type"] == "tool_use"] == [f"Read{count - 1}"]


@pytest.mark.parametrize("base", ["", "/cc"])
@pytest.mark.parametrize("path", CLIENTS, ids=lambda path: path.stem)
async def test_4_every_recorded_request_is_answered(path: Path, base: str, proxy: Proxy) -> None:
    """With the client's own path, query and headers, but our key."""
    request = recorded(path)
    dropped = {"host", "connection", "content-length", "x-api-key", "authorization", "accept-encoding"}
    headers = {name: value for name, value in request["headers"].items() if name.lower() not in dropped}
    url = base + request["path"] + (f"?{request['query']}" if request["query"] else "")
    response = await proxy.client.post(url, headers=headers, json=request["body"])
    assert response.status_code == 200, response.text
    if request["path"].endswith("count_tokens"):
        assert response.json()["input_tokens"] > 1000
    elif request["body"].get("stream"):
        check_grammar(response.text)
    else:
        assert response.json()["stop_reason"] in ("end_turn", "tool_use")
