"""From messages to alternating turns."""

from __future__ import annotations

from itertools import chain

import pytest

from kiro_rs_py.convert import texts
from kiro_rs_py.convert.anthropic import (
    PLACEHOLDER_SIGNATURE,
    ContentBlock,
    DocumentBlock,
    ImageBlock,
    Message,
    OtherBlock,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    ToolReferenceBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from kiro_rs_py.convert.history import (
    filled,
    folded,
    turns_of,
    without_prefill,
)
from kiro_rs_py.convert.kiro import (
    AssistantMessage,
    HistoryEntry,
    Image,
    ReasoningContent,
    ToolResult,
    ToolUse,
    UserMessage,
)
from kiro_rs_py.convert.native_thinking import seal
from kiro_rs_py.convert.tool_names import WireNames
from kiro_rs_py.convert.tools import mentioned
from kiro_rs_py.errors import InvalidRequest

PNG = ImageBlock("image/png", "AAAA")
SENT_PNG = Image("png", "AAAA")
CALLED = ToolUse("t1", "a", {})
CUT_CALL = ToolUseBlock("t1", "Write", {"__unparsedToolInput": {"raw": '{"file'}})


def said(role: str, *blocks: ContentBlock | str) -> Message:
    return Message(role, tuple(TextBlock(block) if isinstance(block, str) else block for block in blocks))


def user(*blocks: ContentBlock | str) -> Message:
    return said("user", *blocks)


def assistant(*blocks: ContentBlock | str) -> Message:
    return said("assistant", *blocks)


def system(*blocks: ContentBlock | str) -> Message:
    return said("system", *blocks)


def reminder(text: str) -> TextBlock:
    return TextBlock(texts.system_reminder(text))


def call(tool_use_id: str, name: str = "a") -> ToolUseBlock:
    return ToolUseBlock(tool_use_id, name, {})


def result(tool_use_id: str, *content: ContentBlock | str) -> ToolResultBlock:
    return ToolResultBlock(tool_use_id, user(*content).content)


def turns(*messages: Message) -> tuple[list[HistoryEntry], list[str]]:
    notes: list[str] = []
    return turns_of(messages, WireNames(mentioned(messages)), notes), notes


def only_turn(*messages: Message) -> tuple[HistoryEntry, list[str]]:
    made, notes = turns(*messages)
    assert len(made) == 1
    return made[0], notes


# --- system messages ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ((system("a"), system("b"), user("x")), (["a", "b"], [user("x")])),
        ((said("developer", "a"), user("x")), (["a"], [user("x")])),
        ((user("x"), system("r")), ([], [user("x", reminder("r"))])),
        ((user("x"), system("r"), system("s")), ([], [user("x", reminder("r"), reminder("s"))])),
        (
            (user("x"), system("r"), assistant("y"), user("z")),
            ([], [user("x", reminder("r")), assistant("y"), user("z")]),
        ),
        (
            (user("x"), assistant("y"), system("r"), system("s"), user("z")),
            ([], [user("x"), assistant("y"), user(reminder("r"), reminder("s"), "z")]),
        ),
        (
            (user("x"), assistant("y"), system("r"), user("z"), system("s")),
            ([], [user("x"), assistant("y"), user(reminder("r"), "z", reminder("s"))]),
        ),
        (
            (user("x"), assistant("y"), system("r")),
            ([], [user("x"), assistant("y"), user(reminder("r"))]),
        ),
        (
            (assistant("y"), system("r"), assistant("z")),
            ([], [assistant("y"), user(reminder("r")), assistant("z")]),
        ),
        ((user("x"), system(), system("")), ([], [user("x")])),
        ((system("a", "", "b"),), (["a\nb"], [])),
    ],
)
def test_system_messages_find_a_place(messages: tuple[Message, ...], expected: tuple[list[str], list[Message]]) -> None:
    assert folded(messages, []) == expected


def test_system_messages_have_text_only() -> None:
    notes: list[str] = []
    assert folded((system("a", PNG),), notes) == (["a"], [])
    assert notes == ["dropped what is no text in a system message"]


# --- prefills -----------------------------------------------------------------------------------------------------


def test_prefills_are_dropped() -> None:
    notes: list[str] = []
    assert without_prefill((user("x"), assistant("{"), assistant("[")), notes) == (user("x"),)
    assert notes == ["dropped 2 assistant messages at the end: prefill is not supported"]
    assert without_prefill((assistant("y"), user("x")), notes) == (assistant("y"), user("x"))
    assert len(notes) == 1


@pytest.mark.parametrize("messages", [(), (assistant("x"),)])
def test_somebody_has_to_ask(messages: tuple[Message, ...]) -> None:
    with pytest.raises(InvalidRequest, match=r"^messages: at least one user message"):
        without_prefill(messages, [])


# --- turns --------------------------------------------------------------------------------------------------------


def test_neighbours_are_merged() -> None:
    made, notes = turns(
        user("one", PNG), user("", "two"), user(), assistant("A"), assistant(" "), assistant(call("t1")), user("z")
    )
    assert made == [
        UserMessage("one\n\ntwo", (SENT_PNG,)),
        AssistantMessage("A", (CALLED,)),
        UserMessage("z"),
    ]
    assert notes == []


def test_merged_assistants_are_parted_by_a_blank_line() -> None:
    assert turns(assistant("A"), assistant("B"), user("z"))[0][0] == AssistantMessage("A\n\nB")
    assert turns(assistant(" "), assistant(call("t1")), user("z"))[0][0] == AssistantMessage("", (CALLED,))
    assert turns(assistant(" x "), user("z"))[0][0] == AssistantMessage(" x ")


def test_user_messages_before_the_current_one_are_closed() -> None:
    made, notes = turns(user("one"), user("two"), user("three"))
    assert made == [UserMessage("one\ntwo"), AssistantMessage("OK"), UserMessage("three")]
    assert notes == ["put an assistant turn before the last user message"]


def test_results_stay_in_the_turn_behind_their_calls() -> None:
    made, notes = turns(assistant(call("t1"), call("t2")), user(result("t1", "r")), user("x", result("t2", "s")))
    assert made[1:] == [UserMessage("x", tool_results=(ToolResult("t1", "r"), ToolResult("t2", "s")))]
    assert notes == ["joined the last user messages: they bring tool results"]


def test_at_most_twenty_images_of_one_turn() -> None:
    turn, notes = only_turn(user("x", *[PNG] * 23))
    assert turn == UserMessage("x\n[image omitted: 3 more than the 20 of one message]", (SENT_PNG,) * 20)
    assert notes == ["dropped 3 images: too many in one message"]
    assert only_turn(user(*[PNG] * 20)) == (UserMessage("", (SENT_PNG,) * 20), [])


# --- one message --------------------------------------------------------------------------------------------------


def test_texts_of_the_user_are_lines() -> None:
    assert only_turn(user("", "a ", PNG, "b")) == (UserMessage("\na \nb", (SENT_PNG,)), [])


def test_thinking_comes_first_and_texts_join_without_a_gap() -> None:
    message = assistant("a", ThinkingBlock("T", "signature"), "b", ThinkingBlock("U"), call("t1"))
    assert turns(message, user("z"))[0][0] == AssistantMessage("<thinking>TU</thinking>\n\nab", (CALLED,))
    assert turns(assistant(ThinkingBlock("T")), user("z"))[0][0] == AssistantMessage("<thinking>T</thinking>")


OPUS = "claude-opus-4.8"
SIGNED = ThinkingBlock("T", seal(OPUS, "sig"))
REPLAYED = ReasoningContent("T", "sig")
NOT_SIGNED = "left out thinking that this model has not signed"
ONLY_LAST = "left out all but the last thinking of a turn"


@pytest.mark.parametrize(
    ("blocks", "reasoning", "expected_notes"),
    [
        ([SIGNED], REPLAYED, []),
        ([RedactedThinkingBlock(seal(OPUS, "AAAA"))], ReasoningContent(redacted="AAAA"), []),
        ([ThinkingBlock("U", seal(OPUS, "sig0")), SIGNED], REPLAYED, [ONLY_LAST]),
        ([SIGNED, ThinkingBlock("U", PLACEHOLDER_SIGNATURE)], REPLAYED, [NOT_SIGNED]),
        ([ThinkingBlock("T", seal("claude-opus-4.7", "sig"))], None, [NOT_SIGNED]),
        ([ThinkingBlock("T", "EqQBCkgIARAB")], None, [NOT_SIGNED]),
        ([ThinkingBlock("", seal(OPUS, "sig"))], None, [NOT_SIGNED]),
        ([ThinkingBlock("T", seal(OPUS, ""))], None, [NOT_SIGNED]),
        ([RedactedThinkingBlock("AAAA")], None, [NOT_SIGNED]),
    ],
)
def test_a_model_is_given_its_own_native_thinking(
    blocks: list[ContentBlock], reasoning: ReasoningContent | None, expected_notes: list[str]
) -> None:
    notes: list[str] = []
    conversation = [user("q"), assistant(*blocks, "a", call("t1")), user("z", result("t1", "r"))]
    _, turn, _ = made = turns_of(conversation, WireNames(["a"]), notes, native_model=OPUS)
    assert turn == AssistantMessage("a", (CALLED,), reasoning)
    assert filled(made, [])[1] == AssistantMessage("a", (CALLED,), reasoning)
    assert notes == expected_notes


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ((), "(empty result)"),
        (("",), "(empty result)"),
        ((" \n",), "(empty result)"),
        (("a", "b"), "a\nb"),
        ((result("inner", "nested"), "b"), "nested\nb"),
        ((OtherBlock("future", "t"),), "[future]\nt"),
        ((OtherBlock("future"),), "(empty result)"),
        ((ThinkingBlock("x"),), "(empty result)"),
        ((ToolReferenceBlock("WebFetch"),), texts.tool_loaded("WebFetch")),
        ((DocumentBlock(None, "D", "text", "T"),), "[document: T]\nD\n[end of document]"),
    ],
)
def test_results_are_text(content: tuple[ContentBlock | str, ...], text: str) -> None:
    turn, _ = only_turn(user(result("t1", *content)))
    assert turn == UserMessage("", tool_results=(ToolResult("t1", text),))


def test_images_are_lifted_out_of_results() -> None:
    turn, notes = only_turn(user(result("t1", "a", PNG, "b"), result("t2", PNG), PNG))
    results = (ToolResult("t1", "a\nb"), ToolResult("t2", texts.IMAGE_OF_RESULT))
    assert turn == UserMessage("", (SENT_PNG,) * 3, results)
    assert notes == []


def test_errors_of_tools_are_kept() -> None:
    turn, _ = only_turn(user(ToolResultBlock("t1", (TextBlock("boom"),), is_error=True)))
    assert turn == UserMessage("", tool_results=(ToolResult("t1", "boom", is_error=True),))


def test_loaded_tools_are_named_as_they_are_called() -> None:
    name = "mcp.server/fetch"
    turn, _ = only_turn(user(ToolReferenceBlock(name)))
    assert turn == UserMessage(texts.tool_loaded(WireNames([name])[name]))


@pytest.mark.parametrize(
    ("value", "sent", "notes"),
    [
        ({"x": 1}, {"x": 1}, 0),
        ("", {}, 0),
        ("x", {"input": "x"}, 1),
        ([1], {"input": [1]}, 1),
        (False, {"input": False}, 1),
    ],
)
def test_inputs_are_objects(value: object, sent: object, notes: int) -> None:
    made, written = turns(assistant(ToolUseBlock("t1", "a", value)), user("z"))  # type: ignore[arg-type]
    assert made[0] == AssistantMessage("", (ToolUse("t1", "a", sent),))  # type: ignore[arg-type]
    assert len(written) == notes


@pytest.mark.parametrize(
    ("message", "note"),
    [
        (user(OtherBlock("container_upload"), "x"), "dropped a container_upload block of the user"),
        (user(OtherBlock("x" * 99, "words"), "x"), f"sent a {'x' * 40} block as text"),
        (user(ThinkingBlock("x"), "x"), "dropped a ThinkingBlock of the user"),
        (user(call("t1"), "x"), "dropped a ToolUseBlock of the user"),
        (user(ImageBlock(None, None, "url"), "x"), "replaced an image by a sentence"),
        (user(DocumentBlock(None, "x", "text"), "x"), "replaced a document by its text"),
        (assistant(OtherBlock("server_tool_use", "words")), "dropped a server_tool_use block of the assistant"),
        (assistant(RedactedThinkingBlock("x")), "dropped redacted thinking: it cannot be replayed"),
        (assistant(PNG), "dropped a ImageBlock of the assistant"),
        (assistant(result("t1", "x")), "dropped a ToolResultBlock of the assistant"),
    ],
)
def test_nothing_is_dropped_without_a_note(message: Message, note: str) -> None:
    assert turns(message, assistant("y"), user("z"))[1] == [note]


# --- replies that were cut ----------------------------------------------------------------------------------------


def test_cut_arguments_are_explained_with_their_result() -> None:
    made, notes = turns(assistant(CUT_CALL), user(result("t1", "could not be parsed"), result("t2", "fine")))
    cut = ToolResult("t1", f"{texts.CUT_ARGUMENTS}\n\ncould not be parsed")
    assert made[1] == UserMessage("", tool_results=(cut, ToolResult("t2", "fine")))
    assert notes == ["told the model that the arguments of a call were too long"]


def test_an_id_is_not_cut_for_ever() -> None:
    made, _ = turns(assistant(CUT_CALL), user(result("t1", "x")), assistant(call("t1")), user(result("t1", "fine")))
    assert made[3] == UserMessage("", tool_results=(ToolResult("t1", "fine"),))


def test_the_gap_of_a_cut_call_is_explained() -> None:
    prompt = "Output token limit hit. Resume directly."
    made, notes = turns(assistant("I will call Write."), user(prompt))
    assert made[1] == UserMessage(f"{prompt}\n{texts.system_reminder(texts.CUT_REPLY)}")
    assert notes == ["told the model that its last reply was too long"]


# --- filled -------------------------------------------------------------------------------------------------------


def test_no_turn_goes_out_empty() -> None:
    results, uses = (ToolResult("t1", "r"),), (CALLED,)
    notes: list[str] = []
    with_images, with_results = UserMessage("", (SENT_PNG,)), UserMessage("", tool_results=results)
    full: list[HistoryEntry] = [with_images, AssistantMessage("", uses), with_results]
    assert filled([UserMessage(""), AssistantMessage(""), *full], notes) == [
        UserMessage("."),
        AssistantMessage(" "),
        with_images,
        AssistantMessage(" ", uses),
        with_results,
    ]
    assert notes == ["filled 2 empty turns"]
    filled(full, notes)
    assert len(notes) == 1


def test_the_user_comes_first() -> None:
    notes: list[str] = []
    assert filled([AssistantMessage("a"), UserMessage("u")], notes) == [
        UserMessage("."),
        AssistantMessage("a"),
        UserMessage("u"),
    ]
    assert notes == ["put a user turn before the assistant's first"]


def test_many_reminders_take_linear_work() -> None:
    many = list(chain.from_iterable((user("x"), *[system("r")] * 3, assistant("y")) for _ in range(2000)))
    assert len(folded(many, [])[1]) == 4000
    assert len(folded([user("x"), *[system("r")] * 20_000], [])[1][0].content) == 20_001
