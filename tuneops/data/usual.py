"""Rows that are as they are written, as those of ultrachat_200k: many are read at once."""

from collections.abc import Sequence
from itertools import chain

import orjson

from tuneops.data.rows import (
    MAX_ROW_BYTES,
    MAX_TURNS,
    MESSAGE_KEYS,
    ROLES,
    Rows,
    digests,
    has_same_keys,
)

USUAL = ("auto", "messages")
"""The shapes that such rows may have been said to have."""
_START, _ENDS = b'{"prompt"', (b"}]}\n", b"}]}", b"}]}\r\n")
_ROW_KEYS = ["prompt", "prompt_id", "messages"]


def usual_rows(lines: Sequence[bytes]) -> Rows | None:
    """The rows of these lines; None if one of them has to be looked at by itself.

    Each is what `read_row` makes of it, which says what is wrong with the others. All are checked
    together, in few steps: Python takes as long for a step as for checking some hundred letters.
    """
    # Files of other shapes are not to be parsed twice.
    if not (lines[0].startswith(_START) and lines[0].endswith(_ENDS)):
        return None
    if max(map(len, lines)) > MAX_ROW_BYTES:
        return None
    try:
        rows = [*map(orjson.loads, lines)]
        prompts = [row["prompt"] for row in rows]
        said = [row["messages"] for row in rows]
        messages = [*chain.from_iterable(said)]
        contents = [message["content"] for message in messages]
        texts = [*contents, *prompts, *(row["prompt_id"] for row in rows)]
        turns = [*map(len, said)]
        if not (
            all(texts)
            and not any(map(str.isspace, texts))
            and all(turns)
            and not any(count % 2 for count in turns)
            and max(turns) <= MAX_TURNS
            # As each has an even number of turns, all together alternate if each does.
            and [message["role"] for message in messages] == ROLES * (len(messages) // 2)
            and [*chain.from_iterable(messages)] == MESSAGE_KEYS * len(messages)
            and [*chain.from_iterable(rows)] == _ROW_KEYS * len(rows)
        ):
            return None
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    found = Rows([], [], [], turns, [*map(len, contents)])
    for line, row, prompt, count in zip(lines, rows, prompts, turns, strict=True):
        made = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
        if not has_same_keys(line, made, count):
            return None
        identity, fingerprint = digests(made, prompt)
        found.identities.append(identity)
        found.prompts.append(fingerprint)
        found.lines.append(made)
    return found
