"""One row of training data: from a line of JSON in any known shape to what the pipeline reads."""

import hashlib
import json
from typing import Any, NamedTuple

import orjson
from xxhash import xxh3_64_intdigest, xxh3_128_digest

from tuneops.data.shapes import TOOL_KEYS, RowError, Shape, Turn, turns

MAX_ROW_BYTES = 1024 * 1024
MAX_TURNS = 10_000
REFUSED = b"!refused: "
"""Begins the line of a row that its file's reader refuses; the reason follows."""

Message = dict[str, str]


class Row(NamedTuple):
    """A conversation that can be trained on.

    `identity` is a digest (16 bytes) of the conversation: equal conversations are one row.
    `prompt` is a fingerprint (64 bits) of what comes before its last answer. `line` is the row as
    the pipeline reads it, one line of JSON with ``prompt``, ``prompt_id`` and ``messages``.
    """

    identity: bytes
    prompt: int
    line: bytes
    messages: list[Message]


def read_row(line: bytes, shape: Shape = "auto") -> Row:
    """The row in one line of JSON Lines.

    Raises:
        RowError: it is no JSON, too large, or no conversation that can be trained on.
    """
    if len(line) > MAX_ROW_BYTES:
        raise RowError("too large", f"is larger than {MAX_ROW_BYTES // 1024} KiB")
    row = _parse(line)
    messages = _plain(row) if shape in ("auto", "messages") else None
    if messages is None:
        messages = [{"content": said, "role": role} for role, said in turns(row, shape)]
        _check_turns(messages)
    prompt, prompt_id = row.get("prompt"), row.get("prompt_id")
    if not prompt or not isinstance(prompt, str):
        prompt = next(message["content"] for message in messages if message["role"] == "user")
    if not prompt_id or not isinstance(prompt_id, str):
        prompt_id = hashlib.sha256(prompt.encode()).hexdigest()
    made = orjson.dumps(
        {"prompt": prompt, "prompt_id": prompt_id, "messages": messages},
        option=orjson.OPT_APPEND_NEWLINE,
    )
    # Written by json.dumps or without spaces, a line with just these keys has one of these lengths.
    if len(line) + 1 - len(made) not in (0, 4 * len(messages) + 4):
        _refuse_doubled_keys(line, row)
    return Row(*_digests(made), made, messages)


def _digests(line: bytes) -> tuple[bytes, int]:
    """The identity and the prompt's fingerprint of a row as it is written.

    They are of the messages as JSON. Quotes inside a string are escaped, and one that ends a string
    is not followed by a word, so what is searched for here is found in no message.
    """
    messages = memoryview(line)[line.index(b',"messages":') :]
    last = line.rindex(b'{"content":') - len(line)
    return xxh3_128_digest(messages), xxh3_64_intdigest(messages[:last])


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
    if line.startswith(REFUSED):
        raise RowError("broken row", line.removeprefix(REFUSED).decode("utf-8", "replace"))
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        if "UTF-8" in error.msg:
            raise RowError("no UTF-8", "is not UTF-8 text") from error
        raise RowError("no JSON", f"is no JSON: {error.msg} at column {error.colno}") from error


def _plain(row: Any) -> list[Message] | None:
    """The messages of a row in ultrachat's own shape, checked; None when anything is unusual.

    This is what nearly all rows go through; `turns` and `_check_turns` say what is wrong.
    """
    said = row.get("messages") if type(row) is dict else None
    if type(said) is not list or not 2 <= len(said) <= MAX_TURNS or not TOOL_KEYS.isdisjoint(row):
        return None
    messages: list[Message] = []
    expected = "user"
    for message in said:
        if type(message) is not dict or len(message) != 2:
            return None
        content, role = message.get("content"), message.get("role")
        if type(content) is not str or not content or content.isspace():
            return None
        if role != expected:
            if role != "system" or messages:
                return None
        else:
            expected = "assistant" if expected == "user" else "user"
        messages.append({"content": content, "role": role})
    return messages if expected == "user" and role == "assistant" else None


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


def _refuse_doubled_keys(line: bytes, row: Any) -> None:
    """Refuse a line in which an object has the same key twice: only one of them could be used."""
    try:
        if line.count(b'":') != _keys(row):
            json.loads(line, object_pairs_hook=_distinct)
    except RecursionError as error:
        raise RowError("too deep", "is nested too deeply") from error


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
