"""Azure's errors, sorted by what can be done about them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from azure.core.exceptions import AzureError, HttpResponseError

from tuneops.azureml import sdk
from tuneops.permissions.explaining import explained
from tuneops.permissions.role import Role
from tuneops.permissions.roles import OPERATOR
from tuneops.scrub import scrub

MAX_MESSAGE = 600
_TRANSIENT_STATUS = frozenset({408, 409, 412, 423, 429})


class RefusedError(Exception):
    """Azure will not do it, however often it is asked; a person has to change something."""


class NoMachinesError(RefusedError):
    """There is no quota or capacity for an instance type; for another one there may be."""


class UnavailableError(Exception):
    """It could not be done now; it is worth trying again, not before so many seconds."""

    def __init__(self, message: str, seconds: float = 0) -> None:
        super().__init__(message)
        self.seconds = seconds


class MissingRoleError(UnavailableError):
    """TuneOps's identity may not do it: granting the role mends it without a new release."""


@contextmanager
def azure_errors(doing: str) -> Iterator[None]:
    """Turn the SDK's exceptions into those above; `doing` begins the message."""
    sdk.load()
    from azure.ai.ml.exceptions import MlException

    try:
        yield
    except HttpResponseError as error:
        raise _from_response(doing, error) from error
    except MlException as error:
        raise RefusedError(f"{doing}: {_short(str(error))}") from error
    except AzureError as error:
        raise UnavailableError(f"{doing}: {_short(str(error))}") from error


def _from_response(doing: str, error: HttpResponseError) -> Exception:
    said = error.error.message if error.error and error.error.message else error.message
    headers = getattr(error.response, "headers", {})
    return of_status(doing, error.status_code or 0, said or "", headers)


def of_status(
    doing: str, status: int, said: str, headers: Mapping[str, str], role: Role = OPERATOR
) -> Exception:
    """The exception for an answer that is no success; `role` may be missing if nothing says so."""
    message = f"{doing}: {_short(said)}"
    if status in (401, 403):
        return MissingRoleError(f"{doing}: {explained(_short(said), role)}")
    if status in _TRANSIENT_STATUS or not 400 <= status < 500:
        return UnavailableError(message, asked_pause(headers))
    return RefusedError(message)


def asked_pause(headers: Mapping[str, str]) -> float:
    """The seconds that an answer's Retry-After asks to wait; 0 without one."""
    given = headers.get("Retry-After") or ""
    return float(given) if given.isdecimal() else 0


def _short(text: str) -> str:
    line = scrub(" ".join(text.split()))
    return line if len(line) <= MAX_MESSAGE else line[:MAX_MESSAGE] + "..."
