"""What a scoring request may hold: Azure ML's payload for chat-completion models.

    {"input_data": {"input_string": [[MESSAGE, ...]], "parameters": {...}}, "params": {}}

`input_string` is one conversation or a list of them; a message has `role` and `content`.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

MAX_CONVERSATIONS = 32
MAX_MESSAGES = 1000


class PayloadError(ValueError):
    """The request can't be scored; the message is for the caller."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Message(_Part):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Field(min_length=1)]


Conversation = Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES)]


class Parameters(_Part):
    """The generation parameters that a caller may set; others are refused."""

    do_sample: bool | None = None
    max_new_tokens: Annotated[int | None, Field(ge=1, le=4096)] = None
    min_new_tokens: Annotated[int | None, Field(ge=0, le=4096)] = None
    temperature: Annotated[float | None, Field(gt=0, le=100, allow_inf_nan=False)] = None
    top_p: Annotated[float | None, Field(gt=0, le=1)] = None
    top_k: Annotated[int | None, Field(ge=1, le=100_000)] = None
    repetition_penalty: Annotated[float | None, Field(gt=0, le=100, allow_inf_nan=False)] = None
    no_repeat_ngram_size: Annotated[int | None, Field(ge=0, le=4096)] = None
    seed: Annotated[int | None, Field(ge=0, lt=2**63)] = None


def _conversations(value: Any) -> Any:
    """One conversation as a list of one."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [value]
    return value


class InputData(_Part):
    """The conversations and how to answer them."""

    input_string: Annotated[
        list[Conversation],
        Field(min_length=1, max_length=MAX_CONVERSATIONS),
        BeforeValidator(_conversations),
    ]
    parameters: Parameters = Parameters()


class Payload(_Part):
    """A scoring request."""

    input_data: InputData
    params: dict[str, Any] = {}


def parse_payload(body: bytes) -> InputData:
    """The conversations and parameters of a request.

    Raises:
        PayloadError: it is no JSON or has another shape.
    """
    try:
        return Payload.model_validate(json.loads(body)).input_data
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise PayloadError(f"the body is no JSON: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise PayloadError(f"{place}: {first['msg']}" if place else first["msg"]) from error


def model_input(data: InputData) -> list[dict[str, Any]]:
    """The conversations as the exported model takes them."""
    parameters = data.parameters.model_dump(exclude_none=True, exclude={"seed"})
    return [
        {"messages": [message.model_dump() for message in chat], "parameters": dict(parameters)}
        for chat in data.input_string
    ]
