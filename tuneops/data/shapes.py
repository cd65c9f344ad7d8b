"""The shapes that people keep conversations in, read as turns of role and content. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import orjson

Shape = Literal["auto", "messages", "conversations", "alpaca", "completion"]
"""How rows hold a conversation.

`messages` is ultrachat_200k's and OpenAI's, `conversations` ShareGPT's, `alpaca` has
``instruction``, ``input`` and ``output``, `completion` has ``prompt`` and ``completion``.
"""

ROLES = ("system", "user", "assistant")
_ROLES: Mapping[str, str] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bard": "assistant",
    "bing": "assistant",
    "model": "assistant",
}
TOOL_KEYS = frozenset(
    {"tools", "functions", "tool_calls", "function_call", "tool_call_id", "parallel_tool_calls"}
)
_TOOL_ROLES = frozenset({"tool", "function", "function_call", "observation", "ipython"})
_ANSWERS = ("completion", "response", "answer")
MAX_SHOWN_KEYS = 8


class RowError(ValueError):
    """A row can't be trained on.

    `kind` says of which sort the fault is, in few words that many rows share; the message says
    what it is in this row, without its line number.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Turn(NamedTuple):
    """One turn of a conversation, as the row has it: nothing is checked but its type."""

    role: str
    content: str


def turns(row: Any, shape: Shape = "auto") -> list[Turn]:
    """The conversation in a row.

    Raises:
        RowError: the row is no object, is of none of the shapes or not of the one that is asked
            for, or holds what a chat model can't be trained on (tools, weights, pictures).
    """
    if not isinstance(row, dict):
        raise RowError("no object", "is no JSON object")
    _refuse_tools(row, "")
    named = _detect(row) if shape == "auto" else shape
    return _READERS[named](row)


def _detect(row: dict[str, Any]) -> str:
    if "messages" in row:
        return "messages"
    if "conversations" in row:
        return "conversations"
    if "instruction" in row:
        return "alpaca"
    if "prompt" in row and any(name in row for name in _ANSWERS):
        return "completion"
    shown = ", ".join(sorted(map(str, row))[:MAX_SHOWN_KEYS]) or "none"
    raise RowError(
        "unknown shape",
        "has neither messages, conversations, instruction and output, nor prompt and completion; "
        f"its keys: {shown[:200]}",
    )


def _messages(row: dict[str, Any]) -> list[Turn]:
    return _list_of_turns(row, "messages", "role", "content")


def _conversations(row: dict[str, Any]) -> list[Turn]:
    said = _parsed(row.get("conversations"))
    first = said[0] if isinstance(said, list) and said else {}
    by_role = isinstance(first, dict) and "role" in first
    keys = ("role", "content") if by_role else ("from", "value")
    found = _list_of_turns(row, "conversations", *keys)
    return [*_system(row), *found] if row.get("system") else found


def _alpaca(row: dict[str, Any]) -> list[Turn]:
    instruction, given = _text(row, "instruction"), _text(row, "input", optional=True)
    asked = f"{instruction}\n\n{given}" if given.strip() else instruction
    return [
        *_system(row),
        *_history(row),
        Turn("user", asked),
        Turn("assistant", _text(row, "output")),
    ]


def _completion(row: dict[str, Any]) -> list[Turn]:
    answer = next((name for name in _ANSWERS if name in row), _ANSWERS[0])
    return [*_system(row), *_side(row, "prompt", "user"), *_side(row, answer, "assistant")]


def _side(row: dict[str, Any], name: str, role: str) -> list[Turn]:
    """What stands under `name`: one text, or turns that say their roles."""
    if isinstance(row.get(name), list):
        return _list_of_turns(row, name, "role", "content")
    return [Turn(role, _text(row, name))]


_READERS: Mapping[str, Callable[[dict[str, Any]], list[Turn]]] = {
    "messages": _messages,
    "conversations": _conversations,
    "alpaca": _alpaca,
    "completion": _completion,
}


def _system(row: dict[str, Any]) -> list[Turn]:
    return [Turn("system", _text(row, "system"))] if row.get("system") else []


def _history(row: dict[str, Any]) -> list[Turn]:
    """Alpaca's earlier rounds: pairs of a question and its answer."""
    found: list[Turn] = []
    for index, pair in enumerate(_parsed(row.get("history")) or ()):
        if (
            not isinstance(pair, list)
            or len(pair) != 2
            or not all(isinstance(s, str) for s in pair)
        ):
            raise RowError("wrong type", f"history.{index} is no pair of question and answer")
        found += [Turn("user", pair[0]), Turn("assistant", pair[1])]
    return found


def _list_of_turns(row: dict[str, Any], name: str, role_key: str, text_key: str) -> list[Turn]:
    said = _parsed(row.get(name))
    if not isinstance(said, list):
        given = "is missing" if row.get(name) is None else "is no list"
        raise RowError("no conversation", f"{name} {given}")
    return [
        _turn(message, f"{name}.{index}", role_key, text_key) for index, message in enumerate(said)
    ]


def _turn(message: Any, where: str, role_key: str, text_key: str) -> Turn:
    if not isinstance(message, dict):
        raise RowError("wrong type", f"{where} is no object with {role_key} and {text_key}")
    role = message.get(role_key)
    if role in _TOOL_ROLES:
        raise RowError("tools", f"{where}.{role_key} is {role}: tool calls can't be trained on")
    _refuse_tools(message, f"{where}.")
    if message.get("weight") not in (None, 1):
        raise RowError(
            "weights", f"{where}.weight is not 1: every answer is trained on alike; leave it out"
        )
    known = {role_key, text_key, "weight", "name"}
    more = sorted(str(key) for key, value in message.items() if key not in known and value)
    if more:
        raise RowError("unknown part", f"{where} has {more[0][:60]!r}, which would be lost")
    if not isinstance(role, str) or role not in _ROLES:
        shown = "missing" if role is None else repr(role)[:60]
        raise RowError("wrong role", f"{where}.{role_key} is {shown}, not system, user, assistant")
    return Turn(_ROLES[role], _content(message.get(text_key), f"{where}.{text_key}"))


def _content(value: Any, where: str) -> str:
    """A text, or OpenAI's list of parts that are all texts."""
    if isinstance(value, list):
        for index, part in enumerate(value):
            if not isinstance(part, dict) or not isinstance(part.get("text"), str):
                kind = part.get("type") if isinstance(part, dict) else None
                shown = f"of type {kind!r}"[:60] if isinstance(kind, str) else "no text"
                raise RowError("no text", f"{where}.{index} is {shown}: only texts are trained on")
        return "".join(part["text"] for part in value)
    if not isinstance(value, str):
        shown = "missing" if value is None else "no text"
        raise RowError("no text", f"{where} is {shown}")
    return value


def _refuse_tools(part: dict[str, Any], where: str) -> None:
    for name in TOOL_KEYS & part.keys():
        if part[name]:
            raise RowError("tools", f"{where}{name}: tool calls can't be trained on; leave it out")


def _text(row: dict[str, Any], name: str, optional: bool = False) -> str:
    value = row.get(name)
    if value is None and optional:
        return ""
    if not isinstance(value, str):
        shown = "missing" if value is None else "no text"
        raise RowError("no text", f"{name} is {shown}")
    return value


def _parsed(value: Any) -> Any:
    """A list, also where a table holds it as JSON text."""
    if isinstance(value, str) and value.lstrip()[:2] in ("[{", "[[", "[]"):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value
