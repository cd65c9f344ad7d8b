"""One row of training data: from a line of JSON in any known shape to what the pipeline reads."""

import hashlib
import json
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import orjson
from xxhash import xxh3_64_intdigest, xxh3_128_intdigest

from tuneops.data.shapes import TOOL_KEYS, RowError, Shape, Turn, turns

MAX_ROW_BYTES = 1024 * 1024
MAX_TURNS = 10_000
REFUSED = b"!refused: "
"""Begins the line of a row that its file's reader refuses; the reason follows."""

Message = dict[str, str]
_Said = tuple[list[Message], list[str]]
"""Messages with their keys in the order in which they are written, and their contents."""
_MESSAGE_KEYS = ["content", "role"]
_MESSAGE = b'{"content":'


class Row(NamedTuple):
    """A conversation that can be trained on.

    `identity` is a digest (128 bits) of the conversation: equal conversations are one row.
    `prompt` is a fingerprint (64 bits) of what comes before its last answer. `line` is the row as
    the pipeline reads it, one line of JSON with ``prompt``, ``prompt_id`` and ``messages``.
    `contents` are those of its turns: user and assistant in turn, if odd after one of the system.
    """

    identity: int
    prompt: int
    line: bytes
    contents: list[str]


def read_row(line: bytes, shape: Shape = "auto") -> Row:
    """The row in one line of JSON Lines.

    Raises:
        RowError: it is no JSON, too large, or no conversation that can be trained on.
    """
    if len(line) > MAX_ROW_BYTES:
        raise RowError("too large", f"is larger than {MAX_ROW_BYTES // 1024} KiB")
    row = _parse(line)
    plain = _plain(row) if shape in ("auto", "messages") else None
    messages, contents = plain or _checked(turns(row, shape))
    written = _written(row, messages)
    made = orjson.dumps(written, option=orjson.OPT_APPEND_NEWLINE)
    if row.keys() != written.keys() or not _is_usual(line, made, len(messages)):
        _refuse_doubled_keys(line, row)
    return Row(*_digests(made, len(written["prompt"])), made, contents)


def _written(row: dict[str, Any], messages: list[Message]) -> dict[str, Any]:
    """The row as it is written: with a prompt and its id, and nothing else beside the messages."""
    prompt, prompt_id = row.get("prompt"), row.get("prompt_id")
    if not prompt or not isinstance(prompt, str):
        prompt = next(message["content"] for message in messages if message["role"] == "user")
    if not prompt_id or not isinstance(prompt_id, str):
        prompt_id = hashlib.sha256(prompt.encode()).hexdigest()
    return {"prompt": prompt, "prompt_id": prompt_id, "messages": messages}


def _digests(line: bytes, least: int) -> tuple[int, int]:
    """The identity and the prompt's fingerprint of a row as it is written.

    They are of the messages as JSON, which begin behind at `least` so many bytes. Quotes inside a
    string are escaped, and one that ends a string is not followed by a word, so what is searched
    for here is found in no message.
    """
    first = line.index(b',"messages":', least)
    last = line.rindex(b"{")
    if not line.startswith(_MESSAGE, last):
        last = line.rindex(_MESSAGE)
    view = memoryview(line)
    return xxh3_128_intdigest(view[first:]), xxh3_64_intdigest(view[first:last])


def question(line: bytes, shape: Shape = "auto") -> list[Message]:
    """The conversation in `line` up to its last question; empty when there is none.

    A conversation may as well end with the question, as in ultrachat_200k's test_gen.
    """
    try:
        asked = [Turn(role, said) for role, said in turns(_parse(line), shape)]
    except RowError:
        return []
    if asked and asked[-1].role == "assistant":
        asked.pop()
    if not asked or asked[-1].role != "user" or not all(said.strip() for _, said in asked):
        return []
    return [{"content": said, "role": role} for role, said in asked]


def _parse(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        if line.startswith(REFUSED):
            reason = line.removeprefix(REFUSED).decode("utf-8", "replace")
            raise RowError("broken row", reason) from error
        if "UTF-8" in error.msg:
            raise RowError("no UTF-8", "is not UTF-8 text") from error
        raise RowError("no JSON", f"is no JSON: {error.msg} at column {error.colno}") from error


def _plain(row: Any) -> _Said | None:
    """What is said in a row in ultrachat's own shape, checked; None when anything is unusual.

    This is what nearly all rows go through, so it looks at all turns at once; `turns` and
    `_checked` say what is wrong.
    """
    try:
        messages: list[Message] = row["messages"]
        roles = [message["role"] for message in messages]
        contents = [message["content"] for message in messages]
        blank = not all(map(str.strip, contents))
    except (KeyError, TypeError):
        return None
    if blank or len(roles) < 2 or roles != _expected_roles(len(roles)):
        return None
    if [*chain.from_iterable(messages)] != _MESSAGE_KEYS * len(messages):
        if any(len(message) > len(_MESSAGE_KEYS) for message in messages):
            return None
        messages = [{"content": said["content"], "role": said["role"]} for said in messages]
    return (
        (messages, contents) if len(messages) <= MAX_TURNS and TOOL_KEYS.isdisjoint(row) else None
    )


@lru_cache
def _expected_roles(turns: int) -> list[str]:
    """An optional system turn, then user and assistant in turn, the assistant last."""
    return ["system"] * (turns % 2) + ["user", "assistant"] * (turns // 2)


def _checked(said: list[Turn]) -> _Said:
    """Turns of any other shape as messages, checked."""
    messages = [{"content": content, "role": role} for role, content in said]
    _check_turns(messages)
    return messages, [turn.content for turn in said]


def _check_turns(messages: list[Message]) -> None:
    """An optional system turn, then user and assistant in turn, the assistant last; none empty."""
    if len(messages) > MAX_TURNS:
        raise RowError("too many turns", f"has {len(messages):,} turns, at most {MAX_TURNS:,}")
    first = 1 if messages and messages[0]["role"] == "system" else 0
    expected = "user"
    for index in range(first, len(messages)):
        message = messages[index]
        if message["role"] != expected:
            raise RowError(
                "wrong order", f"turn {index + 1} is the {message['role']}'s, not the {expected}'s"
            )
        expected = "user" if expected == "assistant" else "assistant"
    if len(messages) - first < 2:
        raise RowError("no answer", "has no question with an answer")
    if expected == "assistant":
        raise RowError("no answer", "the last turn is not the assistant's")
    for index, message in enumerate(messages):
        content = message["content"]
        if not content or content.isspace():
            raise RowError("empty turn", f"turn {index + 1} is empty")


def _is_usual(line: bytes, made: bytes, turns: int) -> bool:
    """Whether a line has no key twice, if its keys are those of what was `made` of it.

    Such a line has one of two lengths, written by json.dumps or without spaces; and as many quotes,
    however its letters are escaped.
    """
    return len(line) + 1 - len(made) in (0, 4 * turns + 4) or _quotes(line) == _quotes(made)


def _refuse_doubled_keys(line: bytes, row: Any) -> None:
    """Refuse a line in which an object has the same key twice: only one of them could be used."""
    try:
        if line.count(b'":') != _keys(row):
            json.loads(line, object_pairs_hook=_distinct)
    except RecursionError as error:
        raise RowError("too deep", "is nested too deeply") from error


def _quotes(text: bytes) -> int:
    """How many quotes stand in it; `replace` finds them faster than `count` does."""
    return len(text) - len(text.replace(b'"', b""))


def _keys(value: Any) -> int:
    """How many keys the objects in a JSON value have."""
    if isinstance(value, dict):
        return len(value) + sum(map(_keys, value.values()))
    return sum(map(_keys, value)) if isinstance(value, list) else 0


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in found if names.count(name) > 1)
        raise RowError("doubled key", f"has the key {doubled[:60]!r} twice")
    return found
