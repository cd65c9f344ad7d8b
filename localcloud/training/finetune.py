"""The fine-tuning itself: transformers' Trainer, with LoRA by peft when it is asked for."""

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import (
    AutoModelForCausalLM,
    DataCollatorForSeq2Seq,
    EarlyStoppingCallback,
    EvalPrediction,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Trainer,
    TrainerCallback,
)

from localcloud.training.inputs import Inputs
from localcloud.training.metrics import token_f1
from localcloud.training.preprocess import IGNORED, Example
from localcloud.training.steps import FINETUNE, PipelineError, Tracker
from localcloud.training.threads import one_thread
from localcloud.training.trainer_arguments import trainer_arguments


@dataclass(frozen=True)
class Data:
    """What is trained on, and what is evaluated on."""

    train: Sequence[Example]
    evaluation: Sequence[Example]
    choose_best: bool
    """Whether the evaluation rows may decide which checkpoint is kept."""
    length: int
    """Tokens per row at most."""


def load_model(folder: Path, inputs: Inputs) -> PreTrainedModel:
    """The base model.

    Raises:
        PipelineError: its files can't be read or have other sizes than its configuration says.
    """
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=torch.float32,
            ignore_mismatched_sizes=inputs.flag("ignore_mismatched_sizes"),
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise PipelineError(FINETUNE, f"the base model can't be loaded: {error}") from error
    return model


def finetune(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    data: Data,
    inputs: Inputs,
    target: Path,
    tracker: Tracker,
) -> None:
    """Train the model and write it, with its tokenizer and the checkpoints, to `target`.

    Raises:
        PipelineError: the loss is not a number any more.
        Cancelled: the tracker said so.
    """
    arguments = trainer_arguments(inputs, target, len(data.train), data.choose_best)
    transformers.set_seed(arguments.seed)
    trainer = Trainer(
        model=_with_lora(model, inputs) if inputs.flag("apply_lora") else model,
        args=arguments,
        train_dataset=data.train,
        eval_dataset=data.evaluation,
        data_collator=_collator(tokenizer, inputs, data.length),
        compute_metrics=_compute_metrics,
        preprocess_logits_for_metrics=_most_likely,
        callbacks=_callbacks(inputs, tracker),
    )
    trainer.remove_callback(PrinterCallback)
    try:
        with one_thread():
            result = trainer.train()
    finally:
        torch.use_deterministic_algorithms(False)
    if not math.isfinite(result.training_loss):
        raise PipelineError(
            FINETUNE,
            f"the loss is not a number any more: learning_rate {arguments.learning_rate:g} "
            "is too high for this data",
        )
    _save(trainer, tokenizer, inputs, target)


def _with_lora(model: PreTrainedModel, inputs: Inputs) -> Any:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=inputs.integer("lora_r"),
        lora_alpha=inputs.integer("lora_alpha"),
        lora_dropout=inputs.number("lora_dropout"),
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)


def _collator(
    tokenizer: PreTrainedTokenizerBase, inputs: Inputs, length: int
) -> DataCollatorForSeq2Seq:
    pad_all = inputs.flag("pad_to_max_length")
    return DataCollatorForSeq2Seq(
        tokenizer,
        padding="max_length" if pad_all else True,
        max_length=length if pad_all else None,
        label_pad_token_id=IGNORED,
    )


def _callbacks(inputs: Inputs, tracker: Tracker) -> list[TrainerCallback]:
    callbacks: list[TrainerCallback] = [_Reporter(tracker)]
    if inputs.flag("apply_early_stopping"):
        callbacks.append(
            EarlyStoppingCallback(
                inputs.integer("early_stopping_patience"),
                inputs.number("early_stopping_threshold"),
            )
        )
    return callbacks


class _Reporter(TrainerCallback):
    """Hands the Trainer's logs to the tracker and asks it whether to go on."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker

    def on_log(
        self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any
    ) -> None:
        numbers = {
            name: float(value)
            for name, value in (logs or {}).items()
            if isinstance(value, int | float)
        }
        self._tracker.log_metrics(numbers, state.global_step)

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self._tracker.check_cancelled()

    def on_prediction_step(self, *_: Any, **__: Any) -> None:
        self._tracker.check_cancelled()


def _most_likely(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Batch x length: the token that the model finds most likely, instead of all logits."""
    return logits.argmax(dim=-1)


def _compute_metrics(prediction: EvalPrediction) -> dict[str, float]:
    """`exact` and `f1` of the answers' tokens, each predicted from the right ones before it.

    A row whose every token is right is a row that greedy decoding answers exactly.
    """
    exact = f1 = 0.0
    rows = list(zip(prediction.predictions, prediction.label_ids, strict=True))
    for predicted, labels in rows:
        learned = labels[1:] != IGNORED
        answer, expected = predicted[:-1][learned].tolist(), labels[1:][learned].tolist()
        exact += answer == expected
        f1 += token_f1(answer, expected)
    return {"exact": exact / len(rows), "f1": f1 / len(rows)}


def _save(
    trainer: Trainer, tokenizer: PreTrainedTokenizerBase, inputs: Inputs, target: Path
) -> None:
    """The whole model, adapters merged in; beside it the adapters if they are not to be merged."""
    model: Any = trainer.model
    if inputs.flag("apply_lora"):
        if not inputs.flag("merge_lora_weights"):
            model.save_pretrained(target / "adapter")
        model = model.merge_and_unload()
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
    for leftover in target.glob("tmp-*"):
        shutil.rmtree(leftover, ignore_errors=True)
