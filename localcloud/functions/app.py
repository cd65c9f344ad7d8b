"""What a ``function_app.py`` declares."""

import importlib
import inspect
import json
import logging
import re
import sys
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import azure.functions as func

from localcloud.functions.converters import converter

SCRIPT_FILE = "function_app.py"
TRIGGERS = ("httpTrigger", "eventGridTrigger", "queueTrigger", "timerTrigger")
OUTPUTS = ("http", "queue")
RETURN = "$return"

log = logging.getLogger(__name__)

_APP_SETTING = re.compile(r"%([^%\s]+)%")


class AppError(Exception):
    """The app can't be loaded, or declares what this host can't serve."""


@dataclass(frozen=True)
class Binding:
    """A trigger or an output; ``settings`` has the other fields under function.json's names."""

    type: str
    name: str
    settings: Mapping[str, Any]

    def setting(self, name: str, default: str = "") -> str:
        """A field as text."""
        return str(self.settings.get(name, default))


@dataclass(frozen=True)
class Function:
    """A function of the app with its bindings."""

    name: str
    call: Callable[..., Any]
    trigger: Binding
    outputs: tuple[Binding, ...]
    trigger_type: type | None
    wants_context: bool
    directory: Path

    @property
    def is_async(self) -> bool:
        """Whether ``call`` is a coroutine function."""
        return inspect.iscoroutinefunction(self.call)


def load_app(app_dir: Path, settings: Mapping[str, str]) -> list[Function]:
    """Import ``app_dir/function_app.py`` and read what it declares.

    Call it once per process: the app's registry is filled by the import.

    Args:
        settings: the app settings that ``%NAME%`` in a queue's name or a schedule refers to.

    Raises:
        AppError: naming every function that can't be served.
    """
    return read_functions(_declarations(app_dir), app_dir, settings)


def read_functions(
    declared: Iterable[Any], app_dir: Path, settings: Mapping[str, str]
) -> list[Function]:
    """Read what an app has declared.

    Raises:
        AppError: naming every function that can't be served.
    """
    functions: list[Function] = []
    problems: list[str] = []
    for declaration in declared:
        try:
            functions.append(_read(declaration, app_dir, settings))
        except AppError as error:
            problems.append(f"function {declaration.get_function_name()}: {error}")
    if problems:
        raise AppError("; ".join(problems))
    if not functions:
        raise AppError(f"{app_dir / SCRIPT_FILE} declares no function")
    return functions


def _declarations(app_dir: Path) -> list[Any]:
    path = app_dir / SCRIPT_FILE
    if not path.is_file():
        raise AppError(f"{path} does not exist")
    sys.path.insert(0, str(app_dir))
    try:
        module = importlib.import_module(path.stem)
    except Exception as error:
        log.exception("importing %s", path)
        raise AppError(f"{path} can't be imported: {type(error).__name__}: {error}") from None
    apps = [value for value in vars(module).values() if isinstance(value, func.FunctionRegister)]
    if len(apps) != 1:
        raise AppError(f"{path} must have one FunctionApp at top level, it has {len(apps)}")
    try:
        return list(apps[0].get_functions())
    except ValueError as error:
        raise AppError(f"{path}: {error}") from None


def _read(declaration: Any, app_dir: Path, settings: Mapping[str, str]) -> Function:
    if declaration.get_setting("retry_policy"):
        raise AppError("retry policies are not supported by this host")
    triggers: list[Binding] = []
    outputs: list[Binding] = []
    for raw in declaration.get_raw_bindings():
        binding = _binding(json.loads(raw), settings)
        (triggers if binding.type in TRIGGERS else outputs).append(binding)
    if len(triggers) != 1:
        raise AppError("it needs exactly one trigger")
    call = declaration.get_user_function()
    annotations = _annotations(call)
    wants_context = _check_parameters(call, [*triggers, *outputs])
    trigger_type = annotations.get(triggers[0].name)
    _check_trigger_type(triggers[0], trigger_type)
    return Function(
        name=declaration.get_function_name(),
        call=call,
        trigger=triggers[0],
        outputs=tuple(outputs),
        trigger_type=trigger_type,
        wants_context=wants_context,
        directory=app_dir,
    )


def _binding(raw: dict[str, Any], settings: Mapping[str, str]) -> Binding:
    kind, name = raw.pop("type"), raw.pop("name")
    direction = raw.pop("direction")
    if kind == "blobTrigger":
        raise AppError(
            "blob triggers are not supported by this host; use an Event Grid trigger on BlobCreated"
        )
    if kind not in (TRIGGERS if direction == "IN" else OUTPUTS):
        raise AppError(f"binding {name!r}: this host has no {kind!r} ({direction.lower()})")
    if kind == "http" and name != RETURN:
        raise AppError(f"binding {name!r}: an HTTP response is returned, not set")
    for field in ("queueName", "schedule"):
        if field in raw:
            raw[field] = _fill_in(raw[field], settings)
    return Binding(kind, name, raw)


def _fill_in(text: str, settings: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] not in settings:
            raise AppError(f"there is no app setting {match[1]!r}, which {text!r} refers to")
        return settings[match[1]]

    return _APP_SETTING.sub(value, text)


def _annotations(call: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(call)
    except (NameError, TypeError) as error:
        raise AppError(f"its annotations can't be read: {error}") from None


def _check_parameters(call: Callable[..., Any], bindings: Iterable[Binding]) -> bool:
    """Compare the parameters with the bindings. Returns whether ``context`` is one of them."""
    parameters = set(inspect.signature(call).parameters)
    bound = {binding.name for binding in bindings} - {RETURN}
    wants_context = "context" in parameters - bound
    expected = bound | ({"context"} if wants_context else set())
    if missing := expected - parameters:
        raise AppError(f"its bindings have no parameter: {', '.join(sorted(missing))}")
    if unbound := parameters - expected:
        raise AppError(f"its parameters have no binding: {', '.join(sorted(unbound))}")
    return wants_context


def _check_trigger_type(trigger: Binding, annotation: Any) -> None:
    if annotation is None or annotation in (str, bytes):
        return
    check = converter(trigger.type).check_input_type_annotation
    if not isinstance(annotation, type) or not check(annotation):
        raise AppError(f"parameter {trigger.name!r} of a {trigger.type} can't be a {annotation}")
