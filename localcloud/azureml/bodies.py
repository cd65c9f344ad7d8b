"""Reading requests: JSON bodies whose every field may be missing or of the wrong kind."""

import json
from collections.abc import Sequence
from datetime import timedelta

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request

from localcloud.azureml.arm import ArmError, Json, user_error

MAX_BODY_BYTES = 4 * 1024 * 1024
_DURATION = TypeAdapter(timedelta)


async def read_json(request: Request, limit: int = MAX_BODY_BYTES) -> Json:
    """The request's JSON object.

    Raises:
        ArmError: 413 when the body has more than `limit` bytes, 400 when it is not an object.
    """
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > limit:
            raise ArmError(413, "RequestContentTooLarge", f"The body exceeds {limit} bytes.")
    try:
        body = json.loads(bytes(raw) or b"{}")
    except (ValueError, RecursionError) as error:
        raise ArmError(400, "InvalidRequestContent", f"The body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise ArmError(400, "InvalidRequestContent", "The body must be a JSON object.")
    return body


def section(body: Json, name: str) -> Json:
    """The object under `name`, empty when absent.

    Raises:
        ArmError: 400 when there is something else than an object.
    """
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise user_error(f"'{name}' must be an object.", target=name)
    return value


def text(body: Json, name: str, default: str | None = None) -> str:
    """The string under `name`.

    Raises:
        ArmError: 400 when it is absent without a default, or no string.
    """
    value = body.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or not value:
        raise user_error(f"'{name}' is required and must be a string.", target=name)
    return value


def optional_text(body: Json, name: str) -> str | None:
    """The string under `name`, which may be empty or absent.

    Raises:
        ArmError: 400 when there is something else.
    """
    value = body.get(name)
    if not isinstance(value, str | None):
        raise user_error(f"'{name}' must be a string.", target=name)
    return value


def choice(body: Json, name: str, options: Sequence[str], default: str | None = None) -> str:
    """The one of `options` that is under `name`, in whatever case it is written there.

    Raises:
        ArmError: 400 when it is absent without a default, or none of them.
    """
    value = text(body, name, default)
    for option in options:
        if option.lower() == value.lower():
            return option
    raise user_error(f"'{value}' is not one of {', '.join(options)}.", target=name)


def flag(body: Json, name: str) -> bool:
    """The boolean under `name`, false when absent.

    Raises:
        ArmError: 400 when there is something else.
    """
    value = body.get(name)
    if not isinstance(value, bool | None):
        raise user_error(f"'{name}' must be true or false.", target=name)
    return bool(value)


def whole_number(body: Json, name: str, default: int, low: int, high: int) -> int:
    """The integer under `name`.

    Raises:
        ArmError: 400 when it is no integer or outside `low` to `high`.
    """
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise user_error(f"'{name}' must be a whole number from {low} to {high}.", target=name)
    return value


def duration(body: Json, name: str, default: str) -> timedelta:
    """The ISO 8601 duration under `name`, such as `PT5S`.

    Raises:
        ArmError: 400 when it is none.
    """
    value = text(body, name, default)
    try:
        found = _DURATION.validate_strings(value)
    except ValidationError:
        found = None
    # pydantic takes `01:00:00` and durations below zero as well.
    if found is None or not value.startswith("P"):
        raise user_error(f"'{name}' is '{value}', no ISO 8601 duration.", target=name)
    return found


def text_list(body: Json, name: str) -> list[str]:
    """The strings under `name`, none when absent.

    Raises:
        ArmError: 400 when there is something else than a list of strings.
    """
    values = body.get(name) or []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise user_error(f"'{name}' must be a list of strings.", target=name)
    return values


def string_map(body: Json, name: str) -> dict[str, str]:
    """Tags or properties: an object of strings.

    Raises:
        ArmError: 400 when a value is no string.
    """
    values = section(body, name)
    for key, value in values.items():
        if not isinstance(value, str | None):
            raise user_error(f"'{name}.{key}' must be a string.", target=name)
    return {key: value for key, value in values.items() if value is not None}
