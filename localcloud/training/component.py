"""The component `chat_completion_pipeline`: names, types, ranges and defaults of its inputs.

They are those of version 0.0.57 in Azure's registry `azureml`
(https://github.com/Azure/azureml-assets, chat_completion/spec.yaml).
"""

from collections.abc import Sequence
from typing import Any

Input = dict[str, Any]


def _text(description: str, default: str | None = None, enum: Sequence[str] = ()) -> Input:
    return _input("string", description, default, enum=list(enum) or None)


def _flag(description: str, default: str = "false") -> Input:
    return _text(description, default, ("true", "false"))


def _integer(description: str, default: int, minimum: int | None = None) -> Input:
    return _input("integer", description, default, min=minimum)


def _number(description: str, default: float) -> Input:
    return _input("number", description, default)


def _asset(kind: str, description: str) -> Input:
    return _input(kind, description, None)


def _input(kind: str, description: str, default: object, **rest: object) -> Input:
    given = {"type": kind, "optional": True, "default": default, "description": description, **rest}
    return {key: value for key, value in given.items() if value is not None}


FILE_FORMATS = "jsonl, json, csv, tsv or parquet"

_COMPUTE: dict[str, Input] = {
    "instance_type_model_import": _text(
        "VM size for the import when its compute is serverless", "Standard_d12_v2"
    ),
    "instance_type_preprocess": _text(
        "VM size for the preprocessing when its compute is serverless", "Standard_d12_v2"
    ),
    "instance_type_finetune": _text(
        "VM size for the fine-tuning when its compute is serverless", "Standard_nc24rs_v3"
    ),
    "instance_type_model_evaluation": _text(
        "VM size for the evaluation when its compute is serverless", "Standard_nc24rs_v3"
    ),
    "shm_size_finetune": _text("Shared memory of the fine-tuning container", "5g"),
    "num_nodes_finetune": _integer("Nodes to fine-tune on", 1, 1),
    "number_of_gpu_to_use_finetuning": _integer("GPUs per node", 1, 1),
    "compute_model_import": _text("Cluster for the import, or serverless", "serverless"),
    "compute_preprocess": _text("Cluster for the preprocessing, or serverless", "serverless"),
    "compute_finetune": _text("Cluster for the fine-tuning, or serverless", "serverless"),
    "compute_model_evaluation": _text("Cluster for the evaluation, or serverless", "serverless"),
}

_MODEL: dict[str, Input] = {
    "huggingface_id": _text("Base model from the Hugging Face hub"),
    "pytorch_model_path": _asset("custom_model", "Base model as a PyTorch folder"),
    "mlflow_model_path": _asset("mlflow_model", "Base model as an MLflow folder"),
}

_DATA: dict[str, Input] = {
    "task_name": {
        **_text("The task", "ChatCompletion", ("ChatCompletion",)),
        "optional": False,
    },
    "batch_size": _integer("Rows per tokenisation batch", 1000, 1),
    "pad_to_max_length": _flag("Pad every row to max_seq_length instead of its batch's longest"),
    "max_seq_length": _integer("Longest row in tokens; -1 is the model's maximum", -1),
    "train_file_path": _asset("uri_file", f"Training rows: {FILE_FORMATS}"),
    "validation_file_path": _asset("uri_file", f"Validation rows: {FILE_FORMATS}"),
    "test_file_path": _asset("uri_file", f"Test rows: {FILE_FORMATS}"),
    "train_mltable_path": _asset("mltable", "Training rows as an MLTable"),
    "validation_mltable_path": _asset("mltable", "Validation rows as an MLTable"),
    "test_mltable_path": _asset("mltable", "Test rows as an MLTable"),
}

_FINETUNE: dict[str, Input] = {
    "apply_lora": _flag("Train low-rank adapters instead of all weights"),
    "merge_lora_weights": _flag("Merge the adapters into the weights before saving", "true"),
    "lora_alpha": _integer("Scale of the adapters", 128),
    "lora_r": _integer("Rank of the adapters", 8),
    "lora_dropout": _number("Dropout of the adapters", 0.0),
    "num_train_epochs": _integer("Passes over the training rows", 1, 1),
    "max_steps": _integer("Training steps; overrides num_train_epochs when positive", -1),
    "per_device_train_batch_size": _integer("Training rows per step and GPU", 1, 1),
    "per_device_eval_batch_size": _integer("Validation rows per step and GPU", 1, 1),
    "auto_find_batch_size": _flag("Halve the batch size while memory runs out"),
    "optim": _text("Optimizer", "adamw_hf", ("adamw_hf", "adamw_torch", "adafactor")),
    "learning_rate": _number("Learning rate to start with", 2e-5),
    "warmup_steps": _integer("Steps in which the learning rate rises", 0),
    "weight_decay": _number("Weight decay, except for biases and norms", 0.0),
    "adam_beta1": _number("Beta 1 of AdamW", 0.9),
    "adam_beta2": _number("Beta 2 of AdamW", 0.999),
    "adam_epsilon": _number("Epsilon of AdamW", 1e-8),
    "gradient_accumulation_steps": _integer("Batches whose gradients are added up", 1),
    "eval_accumulation_steps": _integer("Validation steps kept on the GPU; -1 is all", -1),
    "lr_scheduler_type": _text(
        "Course of the learning rate",
        "linear",
        (
            "linear",
            "cosine",
            "cosine_with_restarts",
            "polynomial",
            "constant",
            "constant_with_warmup",
        ),
    ),
    "precision": _text("Bits of a number in training", "32", ("32", "16")),
    "seed": _integer("Seed of all random numbers", 42),
    "enable_full_determinism": _flag("Use deterministic algorithms only"),
    "dataloader_num_workers": _integer("Processes that load rows; 0 is the main process", 0),
    "ignore_mismatched_sizes": _flag("Accept weights of other sizes than the model's"),
    "max_grad_norm": _number("Norm to which gradients are clipped", 1.0),
    "evaluation_strategy": _text("When to evaluate", "epoch", ("epoch", "steps")),
    "evaluation_steps_interval": _number(
        "Part of an epoch between evaluations; overrides eval_steps unless 0", 0.0
    ),
    "eval_steps": _integer("Steps between evaluations with evaluation_strategy steps", 500),
    "logging_strategy": _text("When to log", "steps", ("epoch", "steps")),
    "logging_steps": _integer("Steps between logs with logging_strategy steps", 10),
    "metric_for_best_model": _text(
        "Metric that decides which checkpoint is best", "loss", ("loss", "f1", "exact")
    ),
    "resume_from_checkpoint": _flag("Go on from the last checkpoint"),
    "save_total_limit": _integer("Checkpoints to keep; -1 is all", -1),
    "apply_early_stopping": _flag("End when the metric for the best model gets worse"),
    "early_stopping_patience": _integer("Evaluations without progress before ending", 1),
    "early_stopping_threshold": _number("What counts as progress", 0.0),
    "apply_deepspeed": _flag("Train with DeepSpeed"),
    "deepspeed": _asset("uri_file", "Own DeepSpeed configuration"),
    "deepspeed_stage": _text("Stage of the built-in DeepSpeed configuration", "2", ("2", "3")),
    "apply_ort": _flag("Train with ONNX Runtime"),
}

_EVALUATION: dict[str, Input] = {
    "evaluation_config": _asset("uri_file", "Parameters of the metrics"),
    "evaluation_config_params": _text("Parameters of the metrics as JSON text"),
}

CHAT_COMPLETION_PIPELINE: dict[str, Any] = {
    "name": "chat_completion_pipeline",
    "version": "0.0.57",
    "type": "pipeline",
    "display_name": "Chat Completion Pipeline",
    "description": "Fine-tunes a model for chat completion, with LoRA or all its weights.",
    "inputs": {**_COMPUTE, **_MODEL, **_DATA, **_FINETUNE, **_EVALUATION},
    "outputs": {
        "pytorch_model_folder": {
            "type": "uri_folder",
            "description": "The fine-tuned model, and the checkpoints it was chosen from",
        },
        "mlflow_model_folder": {
            "type": "mlflow_model",
            "description": "The fine-tuned model in MLflow's format",
        },
    },
}
