"""Training parameters: the inputs of Azure ML's ``chat_completion_pipeline`` that a config may set.

Names, types and ranges are the component's own. What a config leaves out comes from the base
model's ``model_specific_defaults`` tag, then from `DEFAULTS`, then from the component. Even what
TuneOps sets itself (base model, data files, computes) can be given here; it is taken as it is.
"""

import ast
import json
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from tuneops.section import Section

Value = str | int | float


class Origin(StrEnum):
    """Who decided a parameter's value; later ones win."""

    TUNEOPS = "tuneops"
    DEFAULT = "default"
    MODEL = "model"
    CONFIG = "config"


class Parameter(BaseModel):
    """An input of the component with where its value comes from."""

    model_config = ConfigDict(frozen=True)

    value: Value
    origin: Origin


DEFAULTS: Mapping[str, Value] = {
    "num_train_epochs": 3,
    "per_device_train_batch_size": 1,
    "per_device_eval_batch_size": 1,
    "learning_rate": 5e-6,
    "lr_scheduler_type": "cosine",
    "apply_lora": "true",
    "apply_deepspeed": "true",
    "deepspeed_stage": "2",
}
"""What Microsoft's Phi-3 fine-tuning tutorial starts from."""


_HOW_MANY = frozenset({"num_nodes_finetune", "number_of_gpu_to_use_finetuning"})
_WHERE = ("compute_", "instance_type_", "shm_size_")


def deciding(inputs: Mapping[str, Parameter]) -> dict[str, Value]:
    """The inputs that decide what the model becomes, besides base model, component and data.

    TuneOps's own inputs are said by these; which machines it is made on changes nothing, but how
    many at a time does.
    """
    return {
        name: parameter.value
        for name, parameter in inputs.items()
        if name in _HOW_MANY or (parameter.origin != Origin.TUNEOPS and not name.startswith(_WHERE))
    }


def _flag(value: Any) -> Any:
    """YAML's and Python's ``true`` and ``false`` as the component's strings."""
    return str(value).lower() if str(value) in ("True", "False") else value


def _text(value: Any) -> Any:
    """YAML's numbers where the component wants a string, as in ``deepspeed_stage: 2``."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _json_text(value: str | None) -> str | None:
    """Only text that is JSON."""
    if value is not None:
        json.loads(value)
    return value


ASSET = r"^(azureml:[A-Za-z0-9][^\s:]*:[^\s:]+|(azureml|https|wasbs|abfss)://\S+|azureml:/\S+)$"

Text = Annotated[str | None, Field(min_length=1, max_length=1000)]
Asset = Annotated[
    str | None,
    Field(pattern=ASSET, max_length=1000, examples=["azureml:train-data:1"]),
]
InstanceType = Annotated[str | None, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_]+$")]
ComputeName = Annotated[str | None, Field(max_length=255, pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$")]
Flag = Annotated[Literal["true", "false"] | None, BeforeValidator(_flag)]
Count = Annotated[int | None, Field(ge=1)]
NotNegative = Annotated[float | None, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float | None, Field(ge=0, lt=1, allow_inf_nan=False)]


class TrainingParameters(Section):
    """Inputs of ``chat_completion_pipeline``; what is left out takes the model's default."""

    instance_type_model_import: InstanceType = None
    instance_type_preprocess: InstanceType = None
    instance_type_finetune: InstanceType = None
    instance_type_model_evaluation: InstanceType = None
    compute_model_import: ComputeName = None
    compute_preprocess: ComputeName = None
    compute_finetune: ComputeName = None
    compute_model_evaluation: ComputeName = None
    shm_size_finetune: Annotated[
        str | None, Field(pattern=r"^[1-9][0-9]{0,11}[bkmgBKMG]?$", description="As docker's")
    ] = None
    num_nodes_finetune: Count = None
    number_of_gpu_to_use_finetuning: Annotated[Count, Field(description="Per node")] = None

    huggingface_id: Text = None
    pytorch_model_path: Asset = None
    mlflow_model_path: Asset = None

    train_file_path: Asset = None
    validation_file_path: Asset = None
    test_file_path: Asset = None
    train_mltable_path: Asset = None
    validation_mltable_path: Asset = None
    test_mltable_path: Asset = None

    task_name: Literal["ChatCompletion"] | None = None
    batch_size: Annotated[Count, Field(description="Rows per tokenisation batch")] = None
    pad_to_max_length: Flag = None
    max_seq_length: Annotated[
        int | None, Field(ge=-1, description="Tokens per row; -1 is the model's maximum")
    ] = None

    apply_lora: Annotated[Flag, Field(description="Train low-rank adapters only")] = None
    merge_lora_weights: Flag = None
    lora_alpha: Count = None
    lora_r: Annotated[Count, Field(description="Rank of the adapters")] = None
    lora_dropout: Share = None

    num_train_epochs: Count = None
    max_steps: Annotated[
        int | None, Field(ge=-1, description="Overrides num_train_epochs when positive")
    ] = None
    per_device_train_batch_size: Count = None
    per_device_eval_batch_size: Count = None
    auto_find_batch_size: Flag = None
    optim: Literal["adamw_hf", "adamw_torch", "adafactor"] | None = None
    learning_rate: Annotated[float | None, Field(gt=0, allow_inf_nan=False)] = None
    warmup_steps: Annotated[int | None, Field(ge=0)] = None
    weight_decay: NotNegative = None
    adam_beta1: Share = None
    adam_beta2: Share = None
    adam_epsilon: NotNegative = None
    gradient_accumulation_steps: Count = None
    eval_accumulation_steps: Annotated[int | None, Field(ge=-1)] = None
    lr_scheduler_type: (
        Literal[
            "linear",
            "cosine",
            "cosine_with_restarts",
            "polynomial",
            "constant",
            "constant_with_warmup",
        ]
        | None
    ) = None
    precision: Annotated[Literal["32", "16"] | None, BeforeValidator(_text)] = None
    seed: Annotated[int | None, Field(ge=0)] = None
    enable_full_determinism: Flag = None
    dataloader_num_workers: Annotated[int | None, Field(ge=0)] = None
    ignore_mismatched_sizes: Flag = None
    max_grad_norm: NotNegative = None

    evaluation_strategy: Literal["epoch", "steps"] | None = None
    evaluation_steps_interval: Annotated[float | None, Field(ge=0, le=1, allow_inf_nan=False)] = (
        None
    )
    eval_steps: Count = None
    logging_strategy: Literal["epoch", "steps"] | None = None
    logging_steps: Count = None
    metric_for_best_model: Literal["loss", "f1", "exact"] | None = None
    resume_from_checkpoint: Flag = None
    save_total_limit: Annotated[int | None, Field(ge=-1)] = None
    apply_early_stopping: Flag = None
    early_stopping_patience: Count = None
    early_stopping_threshold: NotNegative = None

    apply_deepspeed: Flag = None
    deepspeed: Annotated[Asset, Field(description="Your own DeepSpeed configuration")] = None
    deepspeed_stage: Annotated[Literal["2", "3"] | None, BeforeValidator(_text)] = None
    apply_ort: Flag = None

    evaluation_config: Asset = None
    evaluation_config_params: Annotated[
        str | None,
        Field(max_length=10_000, description="JSON text"),
        AfterValidator(_json_text),
    ] = None

    def given(self) -> dict[str, Value]:
        """The parameters that were set, by name."""
        return self.model_dump(exclude_none=True)


class ModelDefaultsError(ValueError):
    """The base model's ``model_specific_defaults`` tag can't be used."""


def model_specific_defaults(
    tags: Mapping[str, str], overridden: Collection[str] = ()
) -> dict[str, Value]:
    """The base model's own defaults, from the tag that holds them as a Python literal.

    Keys that are no training parameter are left out, as the tag serves other pipelines as well, and
    those that are `overridden`, so that a wrong default harms nobody who sets the parameter.

    Raises:
        ModelDefaultsError: the tag is no literal dict, or has a value that is out of range.
    """
    text = tags.get("model_specific_defaults")
    if not text:
        return {}
    try:
        literal = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise ModelDefaultsError("the tag model_specific_defaults is not a literal dict") from error
    if not isinstance(literal, dict):
        raise ModelDefaultsError("the tag model_specific_defaults is not a dict")
    wanted = TrainingParameters.model_fields.keys() - set(overridden)
    known = {key: value for key, value in literal.items() if key in wanted}
    try:
        return TrainingParameters.model_validate(known).given()
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelDefaultsError(
            f"the base model's tag model_specific_defaults has {first['loc'][0]}: {first['msg']}; "
            f"set training.parameters.{first['loc'][0]} yourself"
        ) from error


_ALTERNATIVES: tuple[frozenset[str], ...] = (
    frozenset({"mlflow_model_path", "pytorch_model_path", "huggingface_id"}),
    frozenset({"train_file_path", "train_mltable_path"}),
    frozenset({"validation_file_path", "validation_mltable_path"}),
    frozenset({"test_file_path", "test_mltable_path"}),
)
"""Inputs of which the component takes one."""

ASSET_INPUTS: Mapping[str, str] = {
    "mlflow_model_path": "mlflow_model",
    "pytorch_model_path": "custom_model",
    "deepspeed": "uri_file",
    "evaluation_config": "uri_file",
    **{f"{split}_file_path": "uri_file" for split in ("train", "validation", "test")},
    **{f"{split}_mltable_path": "mltable" for split in ("train", "validation", "test")},
}
"""The inputs that are files, tables or models, with their types."""


def effective(
    own: Mapping[str, Value], config: TrainingParameters, model_tags: Mapping[str, str]
) -> dict[str, Parameter]:
    """The inputs that a job is given: `own` < `DEFAULTS` < the model's own < the config's.

    `own` are those that TuneOps decides: base model, data, computes. One that the config gives in
    another form (``huggingface_id`` for ``mlflow_model_path``) is left out.

    Raises:
        ModelDefaultsError: see `model_specific_defaults`.
    """
    given = config.given()
    layers = (
        (Origin.TUNEOPS, own),
        (Origin.DEFAULT, DEFAULTS),
        (Origin.MODEL, model_specific_defaults(model_tags, given.keys())),
        (Origin.CONFIG, given),
    )
    merged = {
        name: Parameter(value=value, origin=origin)
        for origin, values in layers
        for name, value in values.items()
    }
    replaced = {
        name
        for alternatives in _ALTERNATIVES
        if alternatives & given.keys()
        for name in alternatives - given.keys()
    }
    return {name: parameter for name, parameter in merged.items() if name not in replaced}


def values(parameters: Mapping[str, Parameter]) -> dict[str, Value]:
    """The bare values by name."""
    return {name: parameter.value for name, parameter in parameters.items()}
