"""The pipeline's inputs are checked as the component declares them."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.training.component import CHAT_COMPLETION_PIPELINE
from localcloud.training.inputs import parse_inputs
from localcloud.training.steps import PipelineError

INPUTS = CHAT_COMPLETION_PIPELINE["inputs"]


def test_defaults_are_the_components() -> None:
    inputs = parse_inputs({})
    assert inputs.integer("lora_r") == 8
    assert inputs.number("learning_rate") == 2e-5
    assert inputs.flag("merge_lora_weights")
    assert not inputs.flag("apply_lora")
    assert inputs.path("train_file_path") is None


def test_scalars_may_be_text_as_on_the_wire(tmp_path: Path) -> None:
    inputs = parse_inputs(
        {"lora_r": "32", "learning_rate": "3e-3", "apply_lora": True, "train_file_path": tmp_path}
    )
    assert inputs.integer("lora_r") == 32
    assert inputs.number("learning_rate") == 0.003
    assert inputs.flag("apply_lora")
    assert inputs.effective()["train_file_path"] == tmp_path.name


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("learning_rat", 1, "no such input"),
        ("learning_rate", "fast", "must be a number"),
        ("learning_rate", "nan", "must be a number"),
        ("learning_rate", 0, "more than 0"),
        ("num_train_epochs", 0, "at least 1"),
        ("num_train_epochs", 1.5, "whole number"),
        ("lora_r", "0", "at least 1"),
        ("lora_dropout", 1, "less than 1"),
        ("seed", -1, "at least 0"),
        ("seed", 2**32, "less than"),
        ("lr_scheduler_type", "sine", "must be one of linear"),
        ("apply_lora", "yes", "must be one of true, false"),
        ("task_name", "TextClassification", "ChatCompletion"),
        ("train_file_path", "/nowhere/train.jsonl", "train.jsonl does not exist"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(name: str, value: object, said: str) -> None:
    with pytest.raises(PipelineError) as caught:
        parse_inputs({name: value})
    assert f"'{name}'" in str(caught.value)
    assert said in str(caught.value)
    assert caught.value.step == "ft_nlp_common_validation"


@given(
    st.sampled_from(sorted(INPUTS)),
    st.none() | st.text() | st.integers() | st.floats() | st.booleans(),
)
def test_any_value_is_taken_or_refused(name: str, value: object) -> None:
    with contextlib.suppress(PipelineError):
        assert set(parse_inputs({name: value}).effective()) <= set(INPUTS)


def test_what_a_cpu_does_not_use_is_told() -> None:
    inputs = parse_inputs({"apply_deepspeed": "true", "precision": "16"})
    assert inputs.without_effect() == ["apply_deepspeed", "precision"]
