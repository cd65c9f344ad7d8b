"""Rows in all their shapes: read, checked, and written as the pipeline reads them."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneops.data.rows import MAX_ROW_BYTES, MAX_TURNS, REFUSED, Row, question, read_row
from tuneops.data.shapes import RowError, Shape

ASKED = {"role": "user", "content": "text"}
ANSWERED = {"role": "assistant", "content": "answer"}
SYSTEM = {"role": "system", "content": "Be kind."}
TURNS = [{"content": "text", "role": "user"}, {"content": "answer", "role": "assistant"}]

texts = st.text(min_size=1, max_size=40).filter(lambda text: text.strip())


def row(*roles: str, content: str = "text") -> bytes:
    return json.dumps({"messages": [{"role": r, "content": content} for r in roles]}).encode()


def line(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    "roles", [("user", "assistant"), ("system", "user", "assistant"), ("user", "assistant") * 3]
)
def test_conversations_that_end_with_an_answer_are_rows(roles: tuple[str, ...]) -> None:
    assert len(read_row(row(*roles)).contents) == len(roles)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"messages": [ASKED, ANSWERED]}, TURNS, id="ultrachat"),
        pytest.param(
            {"messages": [{"role": "developer", "content": "Be kind."}, ASKED, ANSWERED]},
            [SYSTEM, *TURNS],
            id="openai-developer",
        ),
        pytest.param(
            {
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "text"}]},
                    {"role": "assistant", "content": "answer", "weight": 1, "tool_calls": None},
                ],
                "tools": [],
            },
            TURNS,
            id="openai-parts",
        ),
        pytest.param(
            {
                "conversations": [
                    {"from": "human", "value": "text"},
                    {"from": "gpt", "value": "answer"},
                ]
            },
            TURNS,
            id="sharegpt",
        ),
        pytest.param(
            {"system": "Be kind.", "conversations": [ASKED, ANSWERED]},
            [SYSTEM, *TURNS],
            id="sharegpt-with-roles",
        ),
        pytest.param({"instruction": "text", "input": "", "output": "answer"}, TURNS, id="alpaca"),
        pytest.param(
            {"instruction": "Add", "input": "1 and 2", "output": "3", "history": [["a", "b"]]},
            [
                {"content": "a", "role": "user"},
                {"content": "b", "role": "assistant"},
                {"content": "Add\n\n1 and 2", "role": "user"},
                {"content": "3", "role": "assistant"},
            ],
            id="alpaca-with-input-and-history",
        ),
        pytest.param({"prompt": "text", "completion": "answer"}, TURNS, id="completion"),
        pytest.param({"prompt": "text", "response": "answer"}, TURNS, id="response"),
        pytest.param({"prompt": [ASKED], "completion": [ANSWERED]}, TURNS, id="turns-as-prompt"),
        pytest.param({"messages": json.dumps([ASKED, ANSWERED])}, TURNS, id="json-in-a-table"),
    ],
)
def test_every_shape_becomes_messages(given: Any, expected: Any) -> None:
    read = read_row(line(given))
    written = json.loads(read.line)
    assert written["messages"] == [{"content": m["content"], "role": m["role"]} for m in expected]
    assert written["prompt"]
    assert len(written["prompt_id"]) == 64
    assert read_row(read.line.rstrip()).identity == read.identity


def test_the_rows_own_prompt_and_id_are_kept() -> None:
    read = read_row(line({"prompt": "mine", "prompt_id": "7", "messages": [ASKED, ANSWERED]}))
    assert json.loads(read.line) == {"prompt": "mine", "prompt_id": "7", "messages": TURNS}


@pytest.mark.parametrize(
    "other", [{"prompt": 7}, {"prompt": ""}, {"prompt_id": 7}, {"prompt_id": ""}]
)
def test_a_prompt_or_an_id_that_is_none_is_made(other: dict[str, Any]) -> None:
    made = read_row(line({"messages": [ASKED, ANSWERED], **other}))
    assert made == read_row(line({"messages": [ASKED, ANSWERED]}))


@pytest.mark.parametrize("turns", ["messages", "conversations"])
def test_a_conversation_may_have_as_many_turns_as_are_allowed(turns: str) -> None:
    said = [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]
    said = said if turns == "conversations" else [ASKED, ANSWERED]
    assert len(read_row(line({turns: said * (MAX_TURNS // 2)})).contents) == MAX_TURNS


@pytest.mark.parametrize("shape", ["conversations", "alpaca", "completion"])
def test_a_shape_that_is_named_is_the_only_one(shape: Shape) -> None:
    with pytest.raises(RowError):
        read_row(row("user", "assistant"), shape)
    assert (
        read_row(row("user", "assistant"), "messages").contents
        == read_row(row("user", "assistant")).contents
    )


@pytest.mark.parametrize(
    ("bad", "kind", "reason"),
    [
        pytest.param(b"nonsense", "no JSON", "is no JSON: invalid", id="no-json"),
        pytest.param(b"{}", "unknown shape", "its keys: none", id="no-keys"),
        pytest.param(b'{"text": "a"}', "unknown shape", "its keys: text", id="other-keys"),
        pytest.param(b"[1]", "no object", "is no JSON object", id="a-list"),
        pytest.param(b"null", "no object", "is no JSON object", id="null"),
        pytest.param(b'{"messages": null}', "no conversation", "messages is missing", id="null-m"),
        pytest.param(b'{"messages": 1}', "no conversation", "messages is no list", id="number"),
        pytest.param(b'{"messages": [1]}', "wrong type", "messages.0 is no object", id="no-object"),
        pytest.param(b'{"messages": []}', "no answer", "no question with an answer", id="no-turn"),
        pytest.param(row("user"), "no answer", "no question with an answer", id="one-turn"),
        pytest.param(row("system"), "no answer", "no question with an answer", id="system-alone"),
        pytest.param(row("user", "user"), "wrong order", "turn 2 is the user's", id="twice"),
        pytest.param(row("assistant", "user"), "wrong order", "turn 1 is the", id="answer-first"),
        pytest.param(
            row("user", "system", "assistant"), "wrong order", "turn 2 is the system's", id="late"
        ),
        pytest.param(
            row("user", "assistant", "user"), "no answer", "is not the assistant's", id="no-answer"
        ),
        pytest.param(row("user", "robot"), "wrong role", "'robot', not system", id="unknown-role"),
        pytest.param(row("user", "tool"), "tools", "tool calls can't be trained on", id="tool"),
        pytest.param(
            line({"messages": [ASKED, {**ANSWERED, "tool_calls": [{}]}]}),
            "tools",
            "messages.1.tool_calls",
            id="tool-calls",
        ),
        pytest.param(
            line({"messages": [ASKED, ANSWERED], "tools": [{"type": "function"}]}),
            "tools",
            "tools: tool calls",
            id="tools",
        ),
        pytest.param(
            line({"messages": [ASKED, {**ANSWERED, "weight": 0}]}),
            "weights",
            "messages.1.weight is not 1",
            id="weight",
        ),
        pytest.param(
            line({"messages": [ASKED, {**ANSWERED, "audio": {"id": 1}}]}),
            "unknown part",
            "messages.1 has 'audio', which would be lost",
            id="audio",
        ),
        pytest.param(
            line({"messages": [{"role": "user", "content": [{"type": "image_url"}]}, ANSWERED]}),
            "no text",
            "messages.0.content.0 is of type 'image_url'",
            id="picture",
        ),
        pytest.param(row("user", "assistant", content=" "), "empty turn", "turn 1", id="blank"),
        pytest.param(row("user", "assistant", content=""), "empty turn", "turn 1", id="empty"),
        pytest.param(
            line({"messages": [{"role": "user"}, ANSWERED]}), "no text", "is missing", id="absent"
        ),
        pytest.param(
            line({"messages": [{"role": "user", "content": 1}, ANSWERED]}),
            "no text",
            "messages.0.content is no text",
            id="no-text",
        ),
        pytest.param(b"\xff\xfe", "no UTF-8", "is not UTF-8", id="utf-16"),
        pytest.param(b'{"messages": "\xff"}', "no UTF-8", "is not UTF-8", id="no-utf-8"),
        pytest.param(b'{"messages": "\\ud800"}', "no JSON", "is no JSON", id="lone-surrogate"),
        pytest.param(b'{"messages": "a\x00"}', "no JSON", "is no JSON", id="control-character"),
        pytest.param(b'{"messages": NaN}', "no JSON", "is no JSON", id="nan"),
        pytest.param(b"[" * 100_000, "no JSON", "is no JSON", id="deep"),
        pytest.param(
            b'{"messages": [{"role": "user", "role": "user", "content": "a"}, '
            b'{"role": "assistant", "content": "b"}]}',
            "doubled key",
            "has the key 'role' twice",
            id="doubled-key",
        ),
        pytest.param(
            b'{"messages": 1, "messages": [{"role": "user", "content": "a"}, '
            b'{"role": "assistant", "content": "b"}]}',
            "doubled key",
            "has the key 'messages' twice",
            id="doubled-messages",
        ),
        pytest.param(
            # As many quotes as the row has with a prompt and its id.
            b'{"messages": [{"content": "a", "role": "user"}, {"content": "b", "content": "c",'
            b' "role": "assistant", "role": "assistant"}]}',
            "doubled key",
            "has the key 'content' twice",
            id="doubled-content",
        ),
        pytest.param(
            b'{"prompt": "\\u00e9", "prompt_id": "1", "messages": [{"content": "a", "role":'
            b' "user"}, {"content": "b", "role": "user", "role": "assistant"}]}',
            "doubled key",
            "has the key 'role' twice",
            id="doubled-and-escaped",
        ),
        pytest.param(
            # As many colons as the row has with the prompt that it gets.
            b'{"prompt": null, "prompt_id": "1", "messages": [{"content": "a: b", "role": "user",'
            b' "role": "user"}, {"content": "b", "role": "assistant"}]}',
            "doubled key",
            "has the key 'role' twice",
            id="doubled-without-prompt",
        ),
        pytest.param(
            REFUSED + b"its file's reader says \xe2\x80\x9cno\xe2\x80\x9d \xff",
            "broken row",
            "its file's reader says \u201cno\u201d \ufffd",
            id="refused-by-its-reader",
        ),
        pytest.param(
            row("system", *("user", "assistant") * 5000),
            "too many turns",
            "has 10,001 turns, at most 10,000",
            id="too-many-turns",
        ),
        pytest.param(
            b'{"x": ' + b'{"a": ' * 1000 + b"1" + b"}" * 1000 + b', "messages": '
            b'[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}',
            "too deep",
            "nested too deeply",
            id="deep-beside",
        ),
        pytest.param(b" " * (MAX_ROW_BYTES + 1), "too large", "larger than 1024 KiB", id="large"),
        pytest.param(
            line({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt"}]}),
            "no text",
            "conversations.1.value is missing",
            id="sharegpt-without-value",
        ),
        pytest.param(line({"instruction": "a"}), "no text", "output is missing", id="alpaca"),
        pytest.param(
            line({"instruction": "a", "output": "b", "history": [["c"]]}),
            "wrong type",
            "history.0 is no pair",
            id="history",
        ),
        pytest.param(
            line({"prompt": None, "completion": "b"}),
            "no text",
            "prompt is missing",
            id="no-prompt",
        ),
    ],
)
def test_bad_rows_say_why(bad: bytes, kind: str, reason: str) -> None:
    with pytest.raises(RowError) as caught:
        read_row(bad)
    assert reason in str(caught.value)
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    "style",
    [
        {"separators": (",", ":")},
        {"separators": (" , ", " : ")},
        {"indent": None, "ensure_ascii": False},
        {"sort_keys": True},
    ],
)
def test_the_way_json_is_written_makes_no_difference(style: dict[str, Any]) -> None:
    said = 'He said "x": é 漢 \u2028 \t \\ and {"role": "user"}'
    turns = [{"content": said, "role": "user"}, {"content": f"{said}!", "role": "assistant"}]
    value = {"prompt": said, "prompt_id": "1", "messages": turns, "more": {"role": [said]}}
    assert read_row(json.dumps(value, **style).encode()).identity == read_row(line(value)).identity


@given(st.binary(max_size=300))
def test_whatever_is_read_is_a_row_or_an_error(content: bytes) -> None:
    try:
        read: object = read_row(content)
    except RowError as error:
        read = error
    assert isinstance(read, Row | RowError)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["messages", "conversations", "role", "content", "from", "value", "prompt"]
            )
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(values)
def test_any_json_is_a_row_or_an_error(value: Any) -> None:
    try:
        read: object = read_row(json.dumps(value).encode())
    except RowError as error:
        read = error
    assert isinstance(read, Row | RowError)


@given(st.lists(texts, min_size=2, max_size=6).filter(lambda said: len(said) % 2 == 0))
def test_what_is_written_is_what_was_read(said: list[str]) -> None:
    turns = [
        {"content": text, "role": "assistant" if place % 2 else "user"}
        for place, text in enumerate(said)
    ]
    read = read_row(orjson.dumps({"messages": turns}))
    assert json.loads(read.line)["messages"] == turns
    assert read.line.count(b"\n") == 1
    again = read_row(read.line.rstrip())
    assert (again.identity, again.prompt, again.line) == (read.identity, read.prompt, read.line)


@given(texts, texts, texts)
def test_rows_that_differ_have_other_identities(one: str, two: str, three: str) -> None:
    first = read_row(orjson.dumps({"prompt": one, "completion": two}))
    second = read_row(orjson.dumps({"prompt": one, "completion": three}))
    assert (first.identity == second.identity) == (two == three)
    assert first.prompt == second.prompt


def test_a_question_is_what_comes_before_the_last_answer() -> None:
    assert question(row("user", "assistant")) == [TURNS[0]]
    assert question(row("system", "user"))[-1]["role"] == "user"
    assert question(row("assistant")) == []
    assert question(row("user", content=" ")) == []
    assert question(row("user", "assistant"), "messages") == [TURNS[0]]
    assert question(row("user", "assistant"), "completion") == []
    assert question(b"nonsense") == []
