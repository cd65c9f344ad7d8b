"""Reading MLflow's messages and writing the parts that its answers share."""

from collections.abc import Sequence

from localcloud.azureml.arm import Json
from localcloud.azureml.runs import Metric, now_ms

MAX_RESULTS = 1000


class MlflowError(Exception):
    """An answer other than success, in MLflow's error shape."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def required(message: Json, name: str) -> str:
    """The text under `name`; an MlflowError without it."""
    value = message.get(name)
    if not isinstance(value, str) or not value:
        raise MlflowError("INVALID_PARAMETER_VALUE", f"Missing value for '{name}'.")
    return value


def run_id(message: Json) -> str:
    """The run that a message is about."""
    return required(message, "run_id" if message.get("run_id") else "run_uuid")


def whole(message: Json, name: str, default: int) -> int:
    """The whole number under `name`, also when it came as text."""
    try:
        number = int(message.get(name) or default)
    except (TypeError, ValueError, OverflowError) as error:
        raise MlflowError("INVALID_PARAMETER_VALUE", f"'{name}' must be a number.") from error
    if not -(2**63) <= number < 2**63:
        raise MlflowError("INVALID_PARAMETER_VALUE", f"'{name}' has more than 64 bits.")
    return number


def metric(message: Json) -> Metric:
    """One value of a metric, as log-metric and log-batch send it."""
    key = required(message, "key")
    try:
        value = float(message.get("value", ""))
    except (TypeError, ValueError) as error:
        raise MlflowError("INVALID_PARAMETER_VALUE", f"Metric '{key}' is no number.") from error
    return Metric(key, value, whole(message, "timestamp", now_ms()), whole(message, "step", 0))


def items(message: Json, name: str) -> list[Json]:
    """The list of objects under `name`."""
    items = message.get(name) or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise MlflowError("INVALID_PARAMETER_VALUE", f"'{name}' must be a list of objects.")
    return items


def pairs(message: Json, name: str) -> dict[str, str]:
    """A list of keys and values as a mapping."""
    return {required(item, "key"): str(item.get("value", "")) for item in items(message, name)}


def key_values(pairs: dict[str, str]) -> list[Json]:
    """A mapping as MLflow's list of keys and values."""
    return [{"key": key, "value": value} for key, value in pairs.items()]


def window(message: Json, default: int = MAX_RESULTS) -> tuple[int, int]:
    """The first and the last index of the page that a message asks for."""
    start = whole(message, "page_token", 0)
    return start, start + max(1, whole(message, "max_results", default))


def next_page(found: Sequence[object], stop: int) -> Json:
    """The token of the page after `stop`, if there is one."""
    return {"next_page_token": str(stop)} if stop < len(found) else {}
