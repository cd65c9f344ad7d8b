"""Reading TUNEOPS_CHANNELS, a JSON list: a channel that is wrong is no other's trouble. Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tuneops.config import ChannelName
from tuneops.notify.channels.settings import KINDS, PREFIX, REFERENCE, SETTING, AnySettings
from tuneops.notify.routing import Route
from tuneops.scrub import scrub

MAX_CHANNELS = 50
MAX_CHARACTERS = 64 * 1024
MAX_SHOWN_ERRORS = 3

_NAME: TypeAdapter[str] = TypeAdapter(ChannelName)


@dataclass(frozen=True)
class BrokenSettings:
    """A channel whose settings are wrong; `name` and `kind` as far as they can be read."""

    name: str
    kind: str
    route: Route
    problem: str


def read_channels(text: str) -> list[AnySettings | BrokenSettings]:
    """The channels that the setting has, each with its settings or with what is wrong."""
    if not text.strip():
        return []
    try:
        given = json.loads(text) if len(text) <= MAX_CHARACTERS else None
    except (ValueError, RecursionError) as error:
        what = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "nested"
        return [_broken({}, f"is no JSON ({what})")]
    if not isinstance(given, list) or len(given) > MAX_CHANNELS:
        return [_broken({}, f"must be a JSON list of at most {MAX_CHANNELS} channels")]
    return list(_each(given))


def _each(given: list[Any]) -> Iterator[AnySettings | BrokenSettings]:
    taken: set[str] = set()
    for number, each in enumerate(given, 1):
        read = _read(each, number)
        if read.name in taken:
            problem = f"name {read.name!r} stands there twice: give each channel its own"
            read = replace(_broken({}, problem, number), route=_route(each))
        taken.add(read.name)
        yield read


def _read(given: Any, number: int) -> AnySettings | BrokenSettings:
    kind = given.get("kind") if isinstance(given, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        return _broken(given, f"kind must be one of {', '.join(KINDS)}", number)
    try:
        return KINDS[kind].model_validate(given)
    except ValidationError as error:
        found = [_problem(each) for each in error.errors(include_input=False)[:MAX_SHOWN_ERRORS]]
        return _broken(given, "; ".join(found), number)


def _problem(error: Any) -> str:
    """What is wrong and where, without what stands there."""
    path = ".".join(str(part) for part in error["loc"] if len(str(part)) <= 40)
    text = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        text = "unknown field"
    elif path.endswith(REFERENCE) and error["type"] == "string_pattern_mismatch":
        text = f"must be the name of an app setting that begins with {PREFIX}"
    return scrub(f"{path}: {text}" if path else text)[:300]


def _broken(given: Any, problem: str, number: int = 0) -> BrokenSettings:
    fields = given if isinstance(given, dict) else {}
    name, kind = fields.get("name"), fields.get("kind")
    try:
        name = _NAME.validate_python(name)
    except ValidationError:
        name = f"channel.{number}" if number else "channels"
    where = f"{SETTING}: {name}: " if number else f"{SETTING} "
    known = isinstance(kind, str) and kind in KINDS
    return BrokenSettings(name, str(kind) if known else "", _route(fields), where + problem)


def _route(fields: dict[Any, Any]) -> Route:
    """As much of the route as can be read."""
    route = Route()
    for name in Route.model_fields:
        if name in fields:
            try:
                read = Route.model_validate({name: fields[name]})
            except ValidationError:
                continue
            route = route.model_copy(update={name: getattr(read, name)})
    return route
