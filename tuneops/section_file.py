"""Reading a YAML file as a `Section`, or errors that say file, line and field."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, Tag, ValidationError

from tuneops.api_version import KEY, V1, ApiVersions, UnknownVersionError
from tuneops.disclosed import SAID, disclosed
from tuneops.scrub import scrub
from tuneops.section import FILE, Section

MAX_DEPTH = 20
MAX_NUMBER = 40
"""Characters of a number; Python won't write out one of thousands of digits."""
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")

Path = tuple[str | int, ...]
S = TypeVar("S", bound=Section)


@dataclass(frozen=True)
class ConfigProblem:
    """One thing that is wrong with a file.

    `line` counts from 1; `field` is dotted, empty for the file as a whole.
    """

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        where = f" {self.field}:" if self.field else ""
        return f"{self.file}:{self.line}:{where} {self.message}"


class InvalidConfigError(ValueError):
    """A file has errors; they are in `errors`, in the order of their lines."""

    def __init__(self, errors: list[ConfigProblem]) -> None:
        self.errors = sorted(errors, key=lambda error: (error.line, error.field))
        super().__init__("\n".join(map(str, self.errors)))


class _Loader(yaml.SafeLoader):
    """Safe YAML without aliases, merge keys, duplicate keys or deep nesting."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(
                problem="anchors and aliases are not allowed", problem_mark=event.start_mark
            )
        if self.depth >= MAX_DEPTH:
            raise yaml.MarkedYAMLError(
                problem=f"nested deeper than {MAX_DEPTH} levels", problem_mark=event.start_mark
            )
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def parse(
    kind: type[S], text: str | bytes, file: str, max_bytes: int, versions: ApiVersions = V1
) -> S:
    """The section in `text`; `file` is the name that errors give.

    Raises:
        InvalidConfigError: with every error found, each with its line.
    """
    try:
        content, lines = _load(_decode(text, max_bytes))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        message = (error.problem or error.context or "is not YAML").strip()
        line = mark.line + 1 if mark else 1
        raise InvalidConfigError([ConfigProblem(file, line, "", scrub(message))]) from error
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidConfigError(
            [ConfigProblem(file, 1, "", scrub(str(error).splitlines()[0]))]
        ) from error
    required = [name for name, field in kind.model_fields.items() if field.is_required()]
    if content is None and not required:
        return kind()
    if not isinstance(content, dict):
        least = f" with at least {', '.join(required)}" if required else ""
        raise InvalidConfigError([ConfigProblem(file, 1, "", f"must be a mapping{least}")])
    if secrets := list(disclosed(content)):
        raise InvalidConfigError(
            [ConfigProblem(file, _line(lines, each), _dotted(each), SAID) for each in secrets]
        )
    try:
        return kind.model_validate(versions.brought_up(content), context=FILE)
    except UnknownVersionError as error:
        raise InvalidConfigError(
            [ConfigProblem(file, _line(lines, (KEY,)), KEY, str(error))]
        ) from error
    except ValidationError as error:
        found = error.errors(include_url=False)
        problems = [_problem(kind, file, lines, each) for each in found]
        raise InvalidConfigError(problems) from error


def json_schema(kind: type[Section], title: str, versions: ApiVersions = V1) -> str:
    """The JSON Schema of files of this kind, for editors, as indented JSON text."""
    schema = kind.model_json_schema()
    schema["properties"] = {KEY: versions.json_schema, **schema["properties"]}
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = title
    return json.dumps(schema, indent=2) + "\n"


def _problem(kind: type[Section], file: str, lines: dict[Path, int], error: Any) -> ConfigProblem:
    path, section = _place(kind, tuple(error["loc"]))
    keys = [field.alias or name for name, field in section.model_fields.items()]
    if section is kind:
        keys.append(KEY)
    return ConfigProblem(file, _line(lines, path), _dotted(path), _message(error, keys))


def _decode(text: str | bytes, max_bytes: int) -> str:
    size = len(text.encode("utf-8", "surrogatepass")) if isinstance(text, str) else len(text)
    if size > max_bytes:
        raise ValueError(f"is larger than {max_bytes // 1024} KiB")
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 (byte {error.start})") from error


def _load(text: str) -> tuple[Any, dict[Path, int]]:
    """The document and the line of every key and item in it."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None, {}
        lines = dict(_lines(node, ()))
        return loader.construct_document(node), lines
    finally:
        loader.dispose()


def _lines(node: yaml.Node, path: Path) -> Iterator[tuple[Path, int]]:
    yield path, node.start_mark.line + 1
    _check_number(node)
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _lines(item, (*path, index))
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                raise yaml.MarkedYAMLError(
                    problem="keys must be plain words", problem_mark=key.start_mark
                )
            _check_number(key)
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key.value!r} stands here twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
            yield from _lines(value, (*path, key.value))
            yield (*path, key.value), key.start_mark.line + 1


def _check_number(node: yaml.Node) -> None:
    if node.tag in _NUMBERS and len(node.value) > MAX_NUMBER:
        raise yaml.MarkedYAMLError(
            problem=f"a number has at most {MAX_NUMBER} characters", problem_mark=node.start_mark
        )


def _line(lines: dict[Path, int], loc: Path) -> int:
    """The line of the place that `loc` names, or of the nearest enclosing place."""
    while loc and loc not in lines:
        loc = loc[:-1]
    return lines.get(loc, 1)


def _dotted(loc: Path) -> str:
    return ".".join(map(str, loc))


def _message(error: Any, keys: list[str]) -> str:
    """Pydantic's message in words for the person who writes the file."""
    if error["type"] == "missing":
        return "is required"
    if error["type"] == "extra_forbidden":
        near = get_close_matches(str(error["loc"][-1]), keys, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(sorted(keys))}"
        return f"unknown key; {hint}"
    given = error.get("input")
    shown = f" (given: {str(given)[:60]!r})" if isinstance(given, str | int | float) else ""
    return str(error["msg"]).removeprefix("Value error, ") + shown


def _place(kind: type[Section], loc: Path) -> tuple[Path, type[BaseModel]]:
    """Where in the file an error is, and the section around it.

    In pydantic's place the kind of a section that has several (``data``) stands as a part of its
    own, which is in no file.
    """
    section: type[BaseModel] = kind
    kinds: dict[str, type[BaseModel]] = {}
    path: list[str | int] = []
    for index, part in enumerate(loc):
        if part in kinds:
            section, kinds = kinds[str(part)], {}
            continue
        path.append(part)
        field = section.model_fields.get(str(part))
        if field is None or index == len(loc) - 1:
            continue
        kinds = _kinds(field.annotation)
        section = _section_of(field.annotation) or section
    return tuple(path), section


def _kinds(annotation: Any) -> dict[str, type[BaseModel]]:
    """The sections by tag, where a section has several kinds."""
    members = get_args(annotation) if get_origin(annotation) in (UnionType, Union) else ()
    return {
        mark.tag: get_args(member)[0]
        for member in members
        for mark in getattr(member, "__metadata__", ())
        if isinstance(mark, Tag)
    }


def _section_of(annotation: Any) -> type[BaseModel] | None:
    """The section inside ``Section | None``, ``dict[str, Section]`` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Annotated, UnionType, Union, dict, tuple):
        return next(filter(None, map(_section_of, get_args(annotation))), None)
    return None
