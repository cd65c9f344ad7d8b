"""Rows that are read many at once: what is made of them is what is made of each alone."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneops.data.blocks import Filled
from tuneops.data.checking import Rules, check_block
from tuneops.data.rows import MAX_ROW_BYTES, Row, by_columns, read_row
from tuneops.data.shapes import RowError
from tuneops.data.split import PARTS, by_percent
from tuneops.data.usual import usual_rows

texts = st.text(min_size=1, max_size=12).filter(lambda text: text.strip()) | st.sampled_from(
    [
        '"',
        "\\",
        ':","role":',
        '{"content":',
        ',"messages":',
        "\n",
        "é: 漢",
        "\U0001f600",
        "\x7f\x01",
    ]
).map("a{}".format)


def chat(said: list[str]) -> dict[str, Any]:
    roles = ("user", "assistant") * len(said)
    turns = [{"content": text, "role": role} for text, role in zip(said, roles, strict=False)]
    return {"prompt": said[0], "prompt_id": "1", "messages": turns}


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def spaced(value: Any) -> bytes:
    return json.dumps(value).encode()


def loose(value: Any) -> bytes:
    return json.dumps(value, separators=(" ,  ", " :  "), ensure_ascii=False).encode()


styles = st.sampled_from([compact, spaced, loose, orjson.dumps])
pairs = st.integers(1, 3).flatmap(lambda n: st.lists(texts, min_size=2 * n, max_size=2 * n))
usual = st.builds(lambda said, style: bytes(style(chat(said))), pairs, styles)
TURNS = chat(["a", "b"])["messages"]
odd = st.builds(
    lambda changes, style: bytes(style({**chat(["a", "b"]), **changes})),
    st.sampled_from(
        [
            {"messages": TURNS[:1]},
            {"messages": [*TURNS, *TURNS[:1]]},
            {"messages": [{"content": "c", "role": "system"}, *TURNS]},
            {"messages": TURNS[::-1]},
            {"messages": []},
            {"messages": {}},
            {"messages": None},
            {"messages": "ab"},
            {"messages": [TURNS, TURNS]},
            {"messages": [TURNS[0], {**TURNS[1], "content": 1}]},
            {"messages": [TURNS[0], {**TURNS[1], "content": " "}]},
            {"messages": [TURNS[0], {**TURNS[1], "content": ""}]},
            {"messages": [TURNS[0], {**TURNS[1], "weight": 0}]},
            {"messages": [TURNS[0], {**TURNS[1], "weight": 1}]},
            {"messages": [{"role": "user", "content": "a"}, TURNS[1]]},
            {"prompt": ""},
            {"prompt": " "},
            {"prompt": 1},
            {"prompt_id": None},
            {"prompt_id": ["1"]},
            {"more": 1},
            {"tools": [1]},
        ]
    ),
    styles,
)
broken = st.sampled_from(
    [
        b"",
        b" \r",
        b"nonsense",
        b"[]",
        b"1",
        b'"messages"',
        b"\xff",
        b'{"messages": "\\ud800"}',
        spaced(chat(["a", "b"])) + b"\r",
        spaced(chat(["a\x00", "b"])).replace(b"\\u0000", b"\x00"),
        # As much longer than it need be as with the spaces of json.dumps.
        compact(chat(["a", "b"])).replace(b'"role"', b'"role":"ab","role"', 1),
        compact(chat(["a", "b"])).replace(b'{"prompt"', b'{"prompt":1,"prompt"'),
        spaced(chat(["é", "b"])).replace(b'"role"', b'"role": 1, "role"', 1),
        orjson.dumps(chat(["é", "b"])).replace(b'"content"', b'"content":[],"content"', 1),
    ]
)


def alone(line: bytes) -> Row | RowError:
    try:
        return read_row(line.removesuffix(b"\r"))
    except RowError as error:
        return error


@given(st.lists(usual, min_size=1, max_size=5), st.booleans())
def test_usual_rows_are_what_each_is_alone(lines: list[bytes], ended: bool) -> None:
    made = usual_rows([line + (b"\n" if ended else b"") for line in lines])
    rows = [*map(read_row, lines)]
    assert made == by_columns(rows)
    assert [*made.characters()] == [len("".join(row.contents)) for row in rows]


@settings(max_examples=100)
@given(st.lists(usual, max_size=3), odd | broken, st.lists(usual, max_size=3))
def test_a_row_that_is_not_usual_is_what_it_is_alone(
    before: list[bytes], line: bytes, after: list[bytes]
) -> None:
    lines = [*before, line, *after]
    made = usual_rows(lines)
    found = [alone(each) for each in lines]
    rows = [each for each in found if isinstance(each, Row)]
    assert made is None or (made == by_columns(rows) and len(rows) == len(lines))


@settings(max_examples=50)
@given(
    st.lists(usual | odd | broken, max_size=12),
    st.sampled_from([100.0, 50.0]),
    st.booleans(),
    st.integers(0, 3000),
)
def test_a_block_tells_of_each_of_its_rows(
    lines: list[bytes], sample: float, ended: bool, room: int
) -> None:
    content = b"\n".join(lines) + (b"\n" if ended else b"")
    output = memoryview(bytearray(room))
    split = by_percent(30.0, 20.0, sample)
    block = check_block(memoryview(content), Filled(len(content)), output, Rules("auto", split))
    each = [(number, alone(line)) for number, line in enumerate(lines, 1) if line.strip()]
    valid = [(number, row) for number, row in each if isinstance(row, Row)]
    used = [(number, row) for number, row in valid if split.takes(row.identity)]
    assert block.left_out == len(valid) - len(used)
    assert [*block.numbers] == [number for number, _ in used]
    assert [*block.identities] == [row.identity >> 64 for _, row in used]
    assert [*block.prompts] == [row.prompt for _, row in used]
    assert [*block.lengths] == [len(row.line) for _, row in used]
    assert [*block.turns] == [len(row.contents) for _, row in used]
    assert sum(block.characters.values()) == sum(len("".join(row.contents)) for _, row in used)
    systems = [row.contents[0] for _, row in used if len(row.contents) % 2]
    assert block.role_turns["system"] == len(systems)
    assert block.characters["system"] == sum(map(len, systems))
    assert block.role_turns["user"] == block.role_turns["assistant"]
    refused = [(number, str(error)) for number, error in each if isinstance(error, RowError)]
    assert [(row.line, row.reason) for row in block.rejected] == refused
    written = bytes(output[: block.written]) + block.overflow
    by_part = sorted((split.side(row.identity >> 64), number, row.line) for number, row in used)
    assert written == b"".join(line for _, _, line in by_part)
    assert {*block.parts} <= {*range(len(PARTS))}


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_row_may_be_as_large_as_is_allowed_and_no_larger(end: bytes) -> None:
    size = MAX_ROW_BYTES - len(compact(chat(["a", "b"])))
    for more, rows in ((0, 2), (1, 1)):
        large = compact(chat(["a", "b" * (size + 1 + more)]))
        content = large + end + compact(chat(["a", "b"]))
        output, rules = memoryview(bytearray(2 * len(content))), Rules("auto", by_percent(0))
        found = check_block(memoryview(content), Filled(len(content)), output, rules)
        assert (len(found.numbers), len(found.rejected)) == (rows, 2 - rows)
