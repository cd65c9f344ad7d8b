"""The rows of an evaluation set: from lines of JSON to questions and what is expected. Pure."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tuneops.behaviour import scoring
from tuneops.behaviour.settings import Score
from tuneops.data.errors import DataError
from tuneops.document import Document

MAX_ROW_BYTES = 64 * 1024
MAX_ROWS = 10_000
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

Text = Annotated[str, Field(min_length=1)]


class Turn(Document):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Text


class Row(Document):
    """A question with what is expected of its answer: texts, or a regular expression."""

    messages: tuple[Turn, ...]
    expected: tuple[str, ...] = ()
    pattern: str = ""

    @property
    def conversation(self) -> list[dict[str, str]]:
        """The turns as the endpoint takes them."""
        return [turn.model_dump() for turn in self.messages]


class _Line(BaseModel):
    """What a line may hold; other keys are ignored."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    messages: Annotated[tuple[Turn, ...], Field(min_length=1, max_length=200)] | None = None
    prompt: Text | None = None
    expected: Text | Annotated[tuple[Text, ...], Field(min_length=1, max_length=20)] | None = None
    pattern: Annotated[str, Field(min_length=1, max_length=1_000)] | None = None

    @model_validator(mode="after")
    def _one_question(self) -> "_Line":
        if (self.messages is None) == (self.prompt is None):
            raise ValueError("give either messages or prompt")
        return self

    def row(self) -> Row:
        """The row; without `expected`, the assistant's last turn is what is expected."""
        turns = self.messages or (Turn(role="user", content=self.prompt or ""),)
        expected = (self.expected,) if isinstance(self.expected, str) else self.expected or ()
        if turns[-1].role == "assistant":
            if expected or self.pattern:
                raise ValueError("messages end with an answer beside expected or pattern")
            expected, turns = (turns[-1].content,), turns[:-1]
        if not turns or turns[-1].role != "user":
            raise ValueError("messages have no question of the user's at their end")
        return Row(messages=turns, expected=expected, pattern=self.pattern or "")


def parse(content: bytes, score: Score, name: str) -> list[Row]:
    """The rows of a file of JSON Lines called `name`; empty lines are passed over.

    Raises:
        DataError: a line is wrong, or there is none.
    """
    rows = list(_rows(content.removeprefix(BYTE_ORDER_MARK), score, name))
    if not rows:
        raise DataError(f"{name} has no rows")
    return rows


def _rows(content: bytes, score: Score, name: str) -> Iterator[Row]:
    found = 0
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        found += 1
        if found > MAX_ROWS:
            raise DataError(f"{name} has more than {MAX_ROWS:,} rows")
        try:
            row = _row(line)
            scoring.check(row.expected, row.pattern, score)
        except ValueError as error:
            raise DataError(f"{name}:{number}: {_short(error)}") from error
        yield row.replace(expected=()) if score == "regex" else row.replace(pattern="")


def _row(line: bytes) -> Row:
    if len(line) > MAX_ROW_BYTES:
        raise ValueError(f"is larger than {MAX_ROW_BYTES // 1024} KiB")
    return _Line.model_validate_json(line).row()


def _short(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    said = first["msg"].removeprefix("Value error, ")
    return f"{where}: {said}" if where else said
