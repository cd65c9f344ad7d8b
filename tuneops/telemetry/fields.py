"""What every log line, span and metric of a piece of work says of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

from tuneops.names import environment_of

PROJECT = "tuneops.project"
RELEASE = "tuneops.release"
COMMIT = "tuneops.commit"
ENVIRONMENT = "tuneops.environment"
INVOCATION = "faas.invocation_id"
ROUTINE = "tuneops.routine"
"""On the first span of a trace: whether such comes all the time."""

SHORT = {
    PROJECT: "project",
    RELEASE: "release",
    COMMIT: "commit",
    ENVIRONMENT: "environment",
    INVOCATION: "invocation",
}
"""What they are called in a line that people read, in this order."""

_FIELDS: ContextVar[Mapping[str, str]] = ContextVar("fields", default=MappingProxyType({}))


def current() -> Mapping[str, str]:
    """What is said of the work that is being done."""
    return _FIELDS.get()


def of_stream(stream: str) -> dict[str, str]:
    """What is said of work for a project, or for what else an environment tells people."""
    is_project = not stream.rpartition(".")[2].startswith("_")
    return {PROJECT: stream if is_project else "", ENVIRONMENT: environment_of(stream)}


@contextmanager
def bound(fields: Mapping[str, str]) -> Iterator[None]:
    """Say this too, as far as it is not empty, of all that is done meanwhile."""
    token = _FIELDS.set({**_FIELDS.get(), **{name: said for name, said in fields.items() if said}})
    try:
        yield
    finally:
        _FIELDS.reset(token)
