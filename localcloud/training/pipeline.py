"""`chat_completion_pipeline` on this machine: the real steps in the real order."""

import shutil
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcloud.training.environment import prepare_environment
from localcloud.training.inputs import Inputs, parse_inputs
from localcloud.training.metrics import exact_match, rouge_l
from localcloud.training.rows import Messages, read_rows
from localcloud.training.steps import (
    COMPUTE_METRICS,
    DATA_PREPROCESS,
    FINETUNE,
    MODEL_CONVERTER,
    MODEL_IMPORT,
    MODEL_PREDICTION,
    STEPS,
    VALIDATION,
    Cancelled,
    PipelineError,
    Tracker,
)
from localcloud.training.workspace import confined_to

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from localcloud.training.finetune import Data

__all__ = ["STEPS", "Cancelled", "PipelineError", "Tracker", "preload", "run_chat_completion"]

VALIDATION_SHARE = 0.2
"""Part of the training rows that is evaluated on when no other file is given, as in Azure."""


def preload() -> None:
    """Import what the first run needs, which takes about ten seconds."""
    prepare_environment()
    for name in ("mlflow.pyfunc", "peft", "localcloud.training.finetune"):
        import_module(name)


def run_chat_completion(inputs: Mapping[str, Any], output_dir: Path, tracker: Tracker) -> None:
    """Fine-tune a chat model, export it and measure its answers.

    Writes `mlflow_model_folder` and `pytorch_model_folder` in `output_dir`. A folder
    `OUTPUT_DIR.work` beside it is used meanwhile; nothing else is written.

    Args:
        inputs: by the component's input names; scalars may be text, files and models are paths
            (see `localcloud.training.component`). Inputs without effect on a CPU are logged.

    Raises:
        PipelineError: an input or the data cannot be used.
        Cancelled: the tracker said so.
    """
    output_dir.mkdir(parents=True, exist_ok=True)
    with confined_to(output_dir.with_name(f"{output_dir.name}.work")):
        preload()
        _Run(output_dir, tracker).all_steps(inputs)


class _Run:
    """One run of the pipeline; each method is a step."""

    def __init__(self, output_dir: Path, tracker: Tracker) -> None:
        self._pytorch = output_dir / "pytorch_model_folder"
        self._mlflow = output_dir / "mlflow_model_folder"
        self._tracker = tracker

    def all_steps(self, given: Mapping[str, Any]) -> None:
        with self._tracker.step(VALIDATION):
            inputs = check_inputs(given, self._tracker)
        with self._tracker.step(MODEL_IMPORT):
            base = import_model(inputs)
        with self._tracker.step(DATA_PREPROCESS):
            tokenizer, data, test = self._preprocess(base, inputs)
        with self._tracker.step(FINETUNE):
            self._finetune(base, tokenizer, data, inputs)
        with self._tracker.step(MODEL_CONVERTER):
            self._convert()
        with self._tracker.step(MODEL_PREDICTION):
            answers, expected = self._predict(test)
        with self._tracker.step(COMPUTE_METRICS):
            log_answers(answers, expected, self._tracker)

    def _preprocess(
        self, base: Path, inputs: Inputs
    ) -> tuple["PreTrainedTokenizerBase", "Data", list[Messages]]:
        from transformers import AutoTokenizer

        from localcloud.training.finetune import Data
        from localcloud.training.preprocess import sequence_length, tokenise

        train, evaluation, test = read_files(inputs)
        tokenizer = AutoTokenizer.from_pretrained(base)
        length = sequence_length(inputs.integer("max_seq_length"), tokenizer.model_max_length)
        batch = inputs.integer("batch_size")
        learned = tokenise(tokenizer, train, length, batch)
        evaluated = tokenise(tokenizer, evaluation, length, batch)
        self._tracker.log_params(
            {
                "train_rows": len(learned.examples),
                "evaluation_rows": len(evaluated.examples),
                "rows_without_answer_in_max_seq_length": learned.too_long + evaluated.too_long,
                "tokens_per_row_at_most": length,
            }
        )
        separate = evaluation is not test
        return tokenizer, Data(learned.examples, evaluated.examples, separate, length), test

    def _finetune(
        self, base: Path, tokenizer: "PreTrainedTokenizerBase", data: "Data", inputs: Inputs
    ) -> None:
        from localcloud.training.finetune import finetune, load_model

        self._pytorch.mkdir()
        model = load_model(base, inputs)
        finetune(model, tokenizer, data, inputs, self._pytorch, self._tracker)

    def _convert(self) -> None:
        from localcloud.training.export import export_mlflow

        self._tracker.check_cancelled()
        weights = self._mlflow.with_name("weights")
        shutil.copytree(
            self._pytorch, weights, ignore=shutil.ignore_patterns("checkpoint-*", "adapter")
        )
        export_mlflow(weights, self._mlflow)
        shutil.rmtree(weights)

    def _predict(self, test: list[Messages]) -> tuple[list[str], list[str]]:
        from localcloud.training.prediction import predict

        predictions = predict(self._mlflow, test, self._tracker)
        return predictions.answers, predictions.expected


def check_inputs(given: Mapping[str, Any], tracker: Tracker) -> Inputs:
    """The inputs, which are logged.

    Raises:
        PipelineError: one of them cannot be used or is missing.
    """
    inputs = parse_inputs(given)
    for name in ("train", "validation", "test"):
        if inputs.path(f"{name}_mltable_path"):
            message = f"MLTables are not read here, give {name}_file_path"
            raise PipelineError(VALIDATION, message)
    if inputs.path("train_file_path") is None:
        raise PipelineError(VALIDATION, "input 'train_file_path' is missing")
    if not (inputs.path("mlflow_model_path") or inputs.path("pytorch_model_path")):
        message = "give mlflow_model_path or pytorch_model_path"
        if inputs.text("huggingface_id"):
            message += "; nothing is downloaded from the Hugging Face hub here"
        raise PipelineError(VALIDATION, message)
    tracker.log_params(inputs.effective())
    unused = inputs.without_effect()
    if unused:
        tracker.log_params({"not_used_on_cpu": ", ".join(unused)})
    return inputs


def import_model(inputs: Inputs) -> Path:
    """The folder with the base model's weights, configuration and tokenizer.

    Raises:
        PipelineError: there is none.
    """
    from localcloud.training.export import transformers_folder

    mlflow_folder = inputs.path("mlflow_model_path")
    folder = inputs.path("pytorch_model_path")
    try:
        folder = transformers_folder(mlflow_folder) if mlflow_folder else folder
    except ValueError as error:
        raise PipelineError(MODEL_IMPORT, f"input 'mlflow_model_path': {error}") from error
    if folder is None or not (folder / "config.json").is_file():
        raise PipelineError(MODEL_IMPORT, "input 'pytorch_model_path': there is no config.json")
    return folder


def read_files(inputs: Inputs) -> tuple[list[Messages], list[Messages], list[Messages]]:
    """Rows to train on, to evaluate on and to test with.

    The test rows stand in for missing validation rows and the other way round. With neither, the
    last fifth of the training rows is held out for both.

    Raises:
        PipelineError: a file cannot be read, or there is one row alone.
    """
    paths = [inputs.path(f"{name}_file_path") for name in ("train", "validation", "test")]
    train, validation, test = [read_rows(path) if path else None for path in paths]
    assert train is not None
    evaluation, test = validation or test, test or validation
    if evaluation is None or test is None:
        if len(train) < 2:
            raise PipelineError(DATA_PREPROCESS, "one row can't be split: give a test file")
        held_out = max(1, round(len(train) * VALIDATION_SHARE))
        evaluation = test = train[-held_out:]
        train = train[:-held_out]
    return train, evaluation, test


def log_answers(answers: Sequence[str], expected: Sequence[str], tracker: Tracker) -> None:
    """How well a model's answers match what was expected."""
    metrics = {
        "exact_match": exact_match(answers, expected),
        "rougeL": rouge_l(answers, expected),
        "test_rows": float(len(answers)),
    }
    tracker.log_metrics(metrics, 0)
