"""Reading chat rows from the files that the pipeline takes."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localcloud.training.steps import DATA_PREPROCESS, PipelineError

Messages = list[dict[str, str]]
ROLES = ("system", "user", "assistant")
MAX_FIELD_BYTES = 16 * 1024 * 1024


def read_rows(path: Path) -> list[Messages]:
    """The conversations in a file, each of them ending with the assistant's answer.

    Args:
        path: JSON Lines (.jsonl), a JSON list (.json), or .csv and .tsv whose column `messages`
            holds JSON text. Other columns are ignored.

    Raises:
        PipelineError: the file has another format, no rows, or a bad row, named by its line
            (its place in the list for .json).
    """
    readers = {".jsonl": _json_lines, ".json": _json_list, ".csv": _csv, ".tsv": _csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(readers)
        raise _error(f"{path.name}: this format is not read here, convert it to one of {known}")
    try:
        rows = [_messages(row, f"{path.name}, {place}") for place, row in reader(path)]
    except UnicodeDecodeError as error:
        raise _error(f"{path.name} is not UTF-8 text") from error
    if not rows:
        raise _error(f"{path.name} has no rows")
    return rows


def _json_lines(path: Path) -> Iterator[tuple[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield f"line {number}", _json(line, f"{path.name}, line {number}")


def _json_list(path: Path) -> Iterator[tuple[str, Any]]:
    content = _json(path.read_text(encoding="utf-8"), path.name)
    if not isinstance(content, list):
        raise _error(f"{path.name} must hold a list of rows")
    for number, row in enumerate(content, start=1):
        yield f"row {number}", row


def _csv(path: Path) -> Iterator[tuple[str, Any]]:
    csv.field_size_limit(MAX_FIELD_BYTES)
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, dialect="excel-tab" if path.suffix == ".tsv" else "excel")
        try:
            for row in rows:
                place = f"line {rows.line_num}"
                text = row.get("messages")
                parsed = {} if text is None else {"messages": _json(text, f"{path.name}, {place}")}
                yield place, parsed
        except csv.Error as error:
            raise _error(f"{path.name}, line {rows.line_num}: {error}") from error


def _json(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _error(f"{place}: no valid JSON ({error})") from error


def _messages(row: Any, place: str) -> Messages:
    if not isinstance(row, dict) or "messages" not in row:
        raise _error(f"{place}: there is no column 'messages'")
    messages = row["messages"]
    if not isinstance(messages, list) or not messages:
        raise _error(f"{place}: 'messages' must be a list with at least one message")
    turns = [_message(message, f"{place}, message {i}") for i, message in enumerate(messages, 1)]
    if turns[-1]["role"] != "assistant":
        raise _error(f"{place}: the last message must be the assistant's")
    if not any(turn["role"] == "user" for turn in turns):
        raise _error(f"{place}: there is no message of the user")
    return turns


def _message(message: Any, place: str) -> dict[str, str]:
    if not isinstance(message, dict):
        raise _error(f"{place}: must be an object with 'role' and 'content'")
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        raise _error(f"{place}: 'role' is {role!r}, must be one of {', '.join(ROLES)}")
    if not isinstance(content, str) or not content.strip():
        raise _error(f"{place}: 'content' must be text that is not empty")
    return {"role": role, "content": content}


def _error(message: str) -> PipelineError:
    return PipelineError(DATA_PREPROCESS, message)
