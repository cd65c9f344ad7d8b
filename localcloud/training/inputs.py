"""The pipeline's inputs, checked against the component and typed."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from localcloud.training.component import CHAT_COMPLETION_PIPELINE, Input
from localcloud.training.steps import VALIDATION, PipelineError

Value = str | int | float | Path
Number = TypeVar("Number", int, float)

# Ranges that the component leaves open and that the libraries would refuse in their own words.
_LEAST: Mapping[str, float] = {
    "lora_alpha": 1,
    "lora_r": 1,
    "lora_dropout": 0,
    "warmup_steps": 0,
    "weight_decay": 0,
    "adam_beta1": 0,
    "adam_beta2": 0,
    "adam_epsilon": 0,
    "gradient_accumulation_steps": 1,
    "seed": 0,
    "dataloader_num_workers": 0,
    "max_grad_norm": 0,
    "evaluation_steps_interval": 0,
    "eval_steps": 1,
    "logging_steps": 1,
    "early_stopping_patience": 1,
    "early_stopping_threshold": 0,
}
_BELOW: Mapping[str, float] = {
    "learning_rate": 1e9,
    "lora_dropout": 1,
    "adam_beta1": 1,
    "adam_beta2": 1,
    "seed": 2**32,
    "max_seq_length": 2**31,
    "lora_r": 4097,
    "dataloader_num_workers": 65,
}

NOT_USED_ON_CPU: Mapping[str, str] = {
    "apply_deepspeed": "true",
    "apply_ort": "true",
    "precision": "16",
}
"""Inputs that change nothing here when they have this value."""


class Inputs:
    """The inputs of one run: what was given, and the component's defaults for the rest."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = dict(values)

    def text(self, name: str) -> str:
        """A string input; the empty string when it has neither value nor default."""
        return str(self._values.get(name, ""))

    def flag(self, name: str) -> bool:
        """A string input that is `true` or `false`."""
        return self.text(name) == "true"

    def integer(self, name: str) -> int:
        """An integer input."""
        return int(self._values[name])  # type: ignore[arg-type]

    def number(self, name: str) -> float:
        """A number input."""
        return float(self._values[name])  # type: ignore[arg-type]

    def path(self, name: str) -> Path | None:
        """A file or folder input, None when it was not given."""
        value = self._values.get(name)
        return None if value is None else Path(value)  # type: ignore[arg-type]

    def effective(self) -> dict[str, object]:
        """Every input that has a value, paths by their last part."""
        return {
            name: value.name if isinstance(value, Path) else value
            for name, value in self._values.items()
        }

    def without_effect(self) -> list[str]:
        """The inputs that were accepted and change nothing on a CPU."""
        given = [name for name, value in NOT_USED_ON_CPU.items() if self.text(name) == value]
        return given + [name for name in ("deepspeed",) if self.path(name)]


def parse_inputs(given: Mapping[str, Any]) -> Inputs:
    """The inputs of a run, checked as the component declares them.

    Scalars may be text, as they are on the wire.

    Raises:
        PipelineError: an input is unknown, has the wrong type or is out of range.
    """
    specs: Mapping[str, Input] = CHAT_COMPLETION_PIPELINE["inputs"]
    for name in given:
        if name not in specs:
            raise _error(name, "the component has no such input")
    values: dict[str, Value] = {
        name: spec["default"] for name, spec in specs.items() if "default" in spec
    }
    for name, value in given.items():
        if value is not None and value != "":
            values[name] = _typed(name, specs[name], value)
    return Inputs(values)


def steps_per_epoch(inputs: Inputs, train_rows: int) -> int:
    """Training steps in one pass over the rows."""
    batches = math.ceil(train_rows / inputs.integer("per_device_train_batch_size"))
    return max(1, math.ceil(batches / inputs.integer("gradient_accumulation_steps")))


def _typed(name: str, spec: Input, value: Any) -> Value:
    kind = spec["type"]
    if kind == "string":
        return _one_of(name, spec, str(value).lower() if isinstance(value, bool) else str(value))
    if kind == "integer":
        return _in_range(name, spec, _whole(name, value))
    if kind == "number":
        return _in_range(name, spec, _finite(name, value))
    path = Path(str(value))
    try:
        path.stat()
    except (OSError, ValueError) as error:
        raise _error(name, f"{path.name} does not exist or can't be read") from error
    return path


def _one_of(name: str, spec: Input, value: str) -> str:
    allowed = spec.get("enum")
    if allowed and value not in allowed:
        raise _error(name, f"is {value!r}, must be one of {', '.join(allowed)}")
    return value


def _whole(name: str, value: Any) -> int:
    number = _finite(name, value)
    if not number.is_integer():
        raise _error(name, f"is {value!r}, must be a whole number")
    return int(number)


def _finite(name: str, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise _error(name, f"is {value!r}, must be a number")
    return number


def _in_range(name: str, spec: Input, number: Number) -> Number:
    least = spec.get("min", _LEAST.get(name))
    if least is not None and number < least:
        raise _error(name, f"is {number:g}, must be at least {least:g}")
    if name in _BELOW and number >= _BELOW[name]:
        raise _error(name, f"is {number:g}, must be less than {_BELOW[name]:g}")
    if name == "learning_rate" and number <= 0:
        raise _error(name, f"is {number:g}, must be more than 0")
    return number


def _error(name: str, message: str) -> PipelineError:
    return PipelineError(VALIDATION, f"input '{name}': {message}")
