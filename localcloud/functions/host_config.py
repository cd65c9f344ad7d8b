"""``host.json``: the settings of the host that this stand-in honours."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from localcloud.functions.timespan import parse_timespan

FILE_NAME = "host.json"


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


def load_host_config(app_dir: Path) -> HostConfig:
    """Read ``app_dir/host.json``.

    Raises:
        HostConfigError: it is missing, is not JSON, or has a wrong value.
    """
    path = app_dir / FILE_NAME
    try:
        return HostConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise HostConfigError(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, problem['loc'])) or 'the document'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise HostConfigError(f"{path}: {'; '.join(problems)}") from None
