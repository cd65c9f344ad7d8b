"""``host.json``: the settings of the host that this stand-in honours."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from localcloud.functions.timespan import parse_timespan

FILE_NAME = "host.json"
# https://learn.microsoft.com/azure/azure-functions/functions-host-json#override-hostjson-values
OVERRIDE = "AzureFunctionsJobHost__"

_DOCUMENT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


class HostConfigError(Exception):
    """host.json is missing or has a value that the host can't work with."""


def _timespan(value: Any) -> timedelta:
    if not isinstance(value, str):
        raise ValueError("must be a TimeSpan such as 00:00:02")
    return parse_timespan(value)


TimeSpan = Annotated[timedelta, BeforeValidator(_timespan)]


class _Section(BaseModel):
    """Other keys are allowed: host.json configures much that has no counterpart here."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class QueueOptions(_Section):
    """``extensions.queues``, with Azure's names and defaults.

    Only ``max_polling_interval`` differs when it is not set: 2 seconds instead of a minute.
    """

    batch_size: Annotated[int, Field(ge=1, le=32)] = 16
    new_batch_threshold: Annotated[int, Field(ge=0)] = 8
    max_dequeue_count: Annotated[int, Field(ge=1)] = 5
    visibility_timeout: Annotated[TimeSpan, Field(le=timedelta(days=7))] = timedelta()
    max_polling_interval: Annotated[TimeSpan, Field(ge=timedelta(milliseconds=100))] = timedelta(
        seconds=2
    )
    message_encoding: Literal["base64", "none"] = "base64"


class HttpOptions(_Section):
    """``extensions.http``."""

    route_prefix: str = "api"


class Extensions(_Section):
    """``extensions``."""

    queues: QueueOptions = QueueOptions()
    http: HttpOptions = HttpOptions()


class HostConfig(_Section):
    """host.json."""

    version: Literal["2.0"]
    extensions: Extensions = Extensions()


def load_host_config(app_dir: Path, settings: Mapping[str, str]) -> HostConfig:
    """Read ``app_dir/host.json``.

    Args:
        settings: the app settings; ``AzureFunctionsJobHost__extensions__queues__batchSize`` and
            the like stand in for what the file has.

    Raises:
        HostConfigError: it is missing, is not JSON, or it or a setting has a wrong value.
    """
    path = app_dir / FILE_NAME
    try:
        document = _DOCUMENT.validate_json(path.read_bytes())
        for name, value in settings.items():
            if name.startswith(OVERRIDE):
                _override(document, name.removeprefix(OVERRIDE).split("__"), value)
        return HostConfig.model_validate(document)
    except OSError as error:
        raise HostConfigError(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, problem['loc'])) or 'the document'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise HostConfigError(f"{path}: {'; '.join(problems)}") from None


def _override(document: dict[str, Any], names: list[str], value: str) -> None:
    """Set what the names lead to; as in all of .NET's settings their case does not count."""
    first = next((key for key in document if key.lower() == names[0].lower()), names[0])
    if len(names) == 1:
        document[first] = value
    elif isinstance(inner := document.setdefault(first, {}), dict):
        _override(inner, names[1:], value)
