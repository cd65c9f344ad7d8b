"""One row of training data in the shape of ultrachat_200k, checked."""

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

MAX_ROW_BYTES = 1024 * 1024


class RowError(ValueError):
    """A row can't be trained on; the message says why, without its line number."""


class ChatMessage(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    content: Annotated[str, Field(pattern=r"\S")]
    role: Literal["system", "user", "assistant"]


class Row(BaseModel):
    """A conversation: an optional system turn, then user and assistant in turn, assistant last."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    prompt: str = ""
    prompt_id: str = ""
    messages: Annotated[tuple[ChatMessage, ...], Field(min_length=2, max_length=10_000)]

    @model_validator(mode="after")
    def _turns(self) -> "Row":
        turns = self.messages[1:] if self.messages[0].role == "system" else self.messages
        for index, message in enumerate(turns):
            expected = "assistant" if index % 2 else "user"
            if message.role != expected:
                place = len(self.messages) - len(turns) + index
                raise ValueError(f"messages.{place}.role is {message.role}, not {expected}")
        if len(turns) < 2 or len(turns) % 2:
            raise ValueError("the last turn is not the assistant's")
        return self

    @property
    def identity(self) -> bytes:
        """A digest of the conversation (32 bytes): equal conversations are one row."""
        turns = (f"{m.role}\0{m.content}" for m in self.messages)
        return hashlib.sha256("\0\0".join(turns).encode()).digest()

    @property
    def question(self) -> tuple[ChatMessage, ...]:
        """The conversation up to the last question: what a model is asked."""
        return self.messages[:-1]

    def line(self) -> bytes:
        """The row as the pipeline reads it: one line of JSON with ``prompt`` and ``prompt_id``."""
        first_question = next(m.content for m in self.messages if m.role == "user")
        complete = self.model_copy(
            update={
                "prompt": self.prompt or first_question,
                "prompt_id": self.prompt_id or self.identity.hex(),
            }
        )
        return complete.model_dump_json().encode() + b"\n"


def parse_row(line: bytes) -> Row:
    """The row in one line of JSON Lines.

    Raises:
        RowError: it is no JSON, too large, or no conversation that can be trained on.
    """
    if len(line) > MAX_ROW_BYTES:
        raise RowError(f"is larger than {MAX_ROW_BYTES // 1024} KiB")
    try:
        return Row.model_validate_json(line)
    except ValidationError as error:
        raise RowError(_words(error)) from error


class _Asked(BaseModel):
    """A conversation that may as well end with a question, as in ultrachat_200k's test_gen."""

    messages: Annotated[tuple[ChatMessage, ...], Field(min_length=1, max_length=10_000)]


def question(line: bytes) -> tuple[ChatMessage, ...]:
    """The conversation in `line` up to its last question; empty when there is none."""
    try:
        messages = _Asked.model_validate_json(line).messages
    except ValidationError:
        return ()
    asked = messages[:-1] if messages[-1].role == "assistant" else messages
    return asked if asked and asked[-1].role == "user" else ()


def _words(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    if first["type"] == "string_pattern_mismatch":
        return f"{where} is empty"
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
