"""Every input of the component, by its own description: right values pass, wrong ones don't."""

from typing import Any

import pytest
from pydantic import ValidationError

from localcloud.training.component import CHAT_COMPLETION_PIPELINE
from tuneops.parameters import ASSET_INPUTS, TrainingParameters

INPUTS: dict[str, dict[str, Any]] = dict(CHAT_COMPLETION_PIPELINE["inputs"])

# What no type says: the right and the wrong text of inputs that are any string to the component.
TEXTS = {
    "huggingface_id": ("microsoft/Phi-3-mini-4k-instruct", ""),
    "evaluation_config_params": ('{"max_new_tokens": 8}', "{max_new_tokens"),
    "shm_size_finetune": ("16g", "plenty"),
    "compute": ("gpu-cluster", "-cluster"),
    "instance_type": ("Standard_NC24ads_A100_v4", "big one"),
}


def right_values(name: str) -> list[Any]:
    """Values that the component takes for an input."""
    spec = INPUTS[name]
    given = [spec["default"]] if spec.get("default") is not None else []
    if "enum" in spec:
        return [*given, *spec["enum"]]
    if name in ASSET_INPUTS:
        return ["azureml:some-asset:1", "azureml://datastores/workspaceblobstore/paths/a.jsonl"]
    if spec["type"] in ("integer", "number"):
        return given or [1]
    return [*given, text_of(name)[0]]


def wrong_values(name: str) -> list[Any]:
    """Values that it would fail on, hours later."""
    spec = INPUTS[name]
    if "enum" in spec:
        return ["neither", 7.5]
    if name in ASSET_INPUTS:
        return ["train.jsonl", "", "ftp://host/file"]
    if spec["type"] == "integer":
        below = [spec["min"] - 1] if "min" in spec else [-2]
        return ["many", 1.5, True, *below]
    if spec["type"] == "number":
        return ["many", "nan", "inf", True, -1]
    return [text_of(name)[1]]


def text_of(name: str) -> tuple[str, str]:
    kinds = [kind for kind in TEXTS if name == kind or name.startswith(f"{kind}_")]
    return TEXTS[kinds[0]]


def test_all_inputs_of_the_component_may_be_set_and_no_others() -> None:
    assert set(TrainingParameters.model_fields) == set(INPUTS)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in INPUTS for value in right_values(name)]
)
def test_right_value_is_accepted(name: str, value: Any) -> None:
    given = TrainingParameters.model_validate({name: value}).given()
    assert str(given[name]) == str(value) or float(given[name]) == float(value)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in INPUTS for value in wrong_values(name)]
)
def test_wrong_value_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        TrainingParameters.model_validate({name: value})
    assert {error["loc"][0] for error in caught.value.errors()} == {name}
