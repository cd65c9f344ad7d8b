"""One row of training data: from a line of JSON in any known shape to what the pipeline reads."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, compress, repeat
from operator import sub
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
MESSAGE_KEYS = ["content", "role"]
ROLES = ["user", "assistant"]
_MESSAGE = b'{"content":'
_KEPT = ("prompt", "prompt_id")
_SPACED = b'{"prompt": '


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


class Rows(NamedTuple):
    """Some rows by columns, as they are told of in `Row`.

    `sizes` are the characters of all their turns, one after another; a row has as many as `turns`
    says.
    """

    identities: list[int]
    prompts: list[int]
    lines: list[bytes]
    turns: list[int]
    sizes: list[int]

    def characters(self) -> Iterator[int]:
        """How many each row has in all its turns."""
        ends = [0, *accumulate(self.sizes)]
        bounds = [ends[end] for end in accumulate(self.turns, initial=0)]
        return map(sub, bounds[1:], bounds)

    def only(self, chosen: Sequence[bool]) -> "Rows":
        """The rows that are chosen."""
        turns_of_chosen = chain.from_iterable(map(repeat, chosen, self.turns))
        return Rows(
            [*compress(self.identities, chosen)],
            [*compress(self.prompts, chosen)],
            [*compress(self.lines, chosen)],
            [*compress(self.turns, chosen)],
            [*compress(self.sizes, turns_of_chosen)],
        )


def by_columns(rows: Sequence[Row]) -> Rows:
    """The rows as columns."""
    contents = [row.contents for row in rows]
    return Rows(
        [row.identity for row in rows],
        [row.prompt for row in rows],
        [row.line for row in rows],
        [*map(len, contents)],
        [*map(len, chain.from_iterable(contents))],
    )


def read_row(line: bytes, shape: Shape = "auto") -> Row:
    """The row in one line of JSON Lines. `tuneops.data.usual` reads many that need no change.

    Raises:
        RowError: it is no JSON, too large, or no conversation that can be trained on.
    """
    if len(line) > MAX_ROW_BYTES:
        raise RowError("too large", f"is larger than {MAX_ROW_BYTES // 1024} KiB")
    row = _parse(line)
    plain = _plain(row) if shape in ("auto", "messages") else None
    written, contents = plain or _checked(row, turns(row, shape))
    made = orjson.dumps(written, option=orjson.OPT_APPEND_NEWLINE)
    alike = written.keys() == row.keys() and all(written[key] is row[key] for key in _KEPT)
    if not (alike and has_same_keys(line, made, len(contents))):
        _refuse_doubled_keys(line, row)
    return Row(*digests(made, written["prompt"]), made, contents)


def digests(made: bytes, prompt: str) -> tuple[int, int]:
    """The identity of a row and the fingerprint of its prompt: of its messages as they are written.

    Quotes inside a string are escaped, and one that ends a string is not followed by a word, so
    what is searched for here is found in no message.
    """
    first, last = made.index(b',"messages":', len(prompt)), made.rindex(b"{")
    if not made.startswith(_MESSAGE, last):
        last = made.rindex(_MESSAGE)
    view = memoryview(made)
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


def _plain(row: Any) -> _Written | None:
    """A row in ultrachat's or OpenAI's shape, checked; None when anything is unusual.

    It looks at all turns at once; `turns` and `_checked` say what is wrong.
    """
    try:
        messages = row["messages"]
        roles = [message["role"] for message in messages]
        contents = [message["content"] for message in messages]
        keys = sum(map(len, messages))
        blank = not all(contents) or any(map(str.isspace, contents))
    except (KeyError, TypeError):
        return None
    pairs, systems = divmod(len(roles), 2)
    expected = ["system", *ROLES * pairs] if systems else ROLES * pairs
    if blank or not pairs or roles != expected or len(roles) > MAX_TURNS:
        return None
    if keys > len(MESSAGE_KEYS) * len(roles) or not TOOL_KEYS.isdisjoint(row):
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


def has_same_keys(line: bytes, made: bytes, turns: int) -> bool:
    """Whether no object in `line` has a key twice, if what was `made` of it has the same keys.

    It has none if it is as long, with the spaces that json.dumps writes or without any; or if it
    has as many colons, however its letters are escaped. Who writes one as ``\\u003a`` can hide a
    doubled key here.
    """
    spaces = 4 * turns + 4 if line.startswith(_SPACED) else 0
    if len(line) - line.endswith(b"\n") == len(made) - 1 + spaces:
        return True
    return _colons(line) == _colons(made)


def _colons(text: bytes) -> int:
    """How many stand in it; `replace` finds them faster than `count` does."""
    return len(text) - len(text.replace(b":", b""))


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
