"""One row of training data: from a line of JSON in any known shape to what the pipeline reads."""

import hashlib
import json
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
_Written = tuple[dict[str, Any], list[str]]
"""A row as it is written, and its turns' contents."""
_ROW_KEYS = ["prompt", "prompt_id", "messages"]
_MESSAGE_KEYS = ["content", "role"]
_ROLES = ["user", "assistant"]
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

    Its digests are of the messages as they are written. Nearly all rows pass here and through
    `_plain` alone, which therefore call little.

    Raises:
        RowError: it is no JSON, too large, or no conversation that can be trained on.
    """
    if len(line) > MAX_ROW_BYTES:
        raise RowError("too large", f"is larger than {MAX_ROW_BYTES // 1024} KiB")
    row = _parse(line)
    plain = _plain(row) if shape in ("auto", "messages") else None
    written, contents = plain or _checked(row, turns(row, shape))
    made = orjson.dumps(written, option=orjson.OPT_APPEND_NEWLINE)
    alike = written is row or written.keys() == row.keys()
    if not alike or len(line) + 1 - len(made) not in (0, 4 * len(contents) + 4):
        _refuse_doubled_keys(line, row, made if alike else b"")
    # Quotes inside a string are escaped, and one that ends a string is not followed by a word, so
    # what is searched for here is found in no message.
    first, last = made.index(b',"messages":', len(written["prompt"])), made.rindex(b"{")
    if not made.startswith(_MESSAGE, last):
        last = made.rindex(_MESSAGE)
    view = memoryview(made)
    identity, prompt = xxh3_128_intdigest(view[first:]), xxh3_64_intdigest(view[first:last])
    return Row(identity, prompt, made, contents)


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


def _plain(row: Any) -> _Written | None:
    """A row in ultrachat's or OpenAI's shape, checked; None when anything is unusual.

    It looks at all turns at once; `turns` and `_checked` say what is wrong.
    """
    try:
        messages = row["messages"]
        roles = [message["role"] for message in messages]
        contents = [message["content"] for message in messages]
        keys = [*chain.from_iterable(messages)]
        blank = not all(contents) or any(map(str.isspace, contents))
    except (KeyError, TypeError):
        return None
    pairs, systems = divmod(len(roles), 2)
    expected = ["system", *_ROLES * pairs] if systems else _ROLES * pairs
    if blank or not pairs or roles != expected or len(roles) > MAX_TURNS:
        return None
    if [*row] == _ROW_KEYS and keys == _MESSAGE_KEYS * len(roles):
        prompt, prompt_id = row["prompt"], row["prompt_id"]
        if prompt and prompt_id and isinstance(prompt, str) and isinstance(prompt_id, str):
            return row, contents
    if len(keys) > len(_MESSAGE_KEYS) * len(roles) or not TOOL_KEYS.isdisjoint(row):
        return None
    return _written(row, roles, contents), contents


def _checked(row: Any, said: list[Turn]) -> _Written:
    """A row of any other shape, checked; these are its turns."""
    _check_turns(said)
    roles, contents = [turn.role for turn in said], [turn.content for turn in said]
    return _written(row, roles, contents), contents


def _written(row: dict[str, Any], roles: list[str], contents: list[str]) -> dict[str, Any]:
    """The row as it is written: with a prompt and its id, and nothing else beside the messages."""
    prompt, prompt_id = row.get("prompt"), row.get("prompt_id")
    if not prompt or not isinstance(prompt, str):
        prompt = contents[roles.index("user")]
    if not prompt_id or not isinstance(prompt_id, str):
        prompt_id = hashlib.sha256(prompt.encode()).hexdigest()
    messages = [
        {"content": content, "role": role} for content, role in zip(contents, roles, strict=True)
    ]
    return {"prompt": prompt, "prompt_id": prompt_id, "messages": messages}


def _check_turns(said: list[Turn]) -> None:
    """An optional system turn, then user and assistant in turn, the assistant last; none empty."""
    if len(said) > MAX_TURNS:
        raise RowError("too many turns", f"has {len(said):,} turns, at most {MAX_TURNS:,}")
    first = 1 if said and said[0].role == "system" else 0
    expected = "user"
    for number, turn in enumerate(said[first:], start=first + 1):
        if turn.role != expected:
            raise RowError(
                "wrong order", f"turn {number} is the {turn.role}'s, not the {expected}'s"
            )
        expected = "user" if expected == "assistant" else "assistant"
    if len(said) - first < 2:
        raise RowError("no answer", "has no question with an answer")
    if expected == "assistant":
        raise RowError("no answer", "the last turn is not the assistant's")
    for number, turn in enumerate(said, start=1):
        if not turn.content.strip():
            raise RowError("empty turn", f"turn {number} is empty")


def _refuse_doubled_keys(line: bytes, row: Any, made: bytes) -> None:
    """Refuse a line in which an object has the same key twice: only one of them could be used.

    `made` is what was made of it with the same keys, if it was: then the line has none twice if it
    has as many quotes, however its letters are escaped. It is not even asked for if it has one of
    the two lengths that it has written by json.dumps or without spaces.
    """
    if made and _quotes(line) == _quotes(made):
        return
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
