"""The pipeline's inputs as transformers' TrainingArguments."""

import os
from pathlib import Path

from transformers import TrainingArguments

from localcloud.training.inputs import Inputs, steps_per_epoch

OPTIMIZERS = {
    # transformers dropped its own AdamW in favour of torch's.
    "adamw_hf": "adamw_torch",
    "adamw_torch": "adamw_torch",
    "adafactor": "adafactor",
}


def trainer_arguments(
    inputs: Inputs, target: Path, train_rows: int, choose_best: bool
) -> TrainingArguments:
    """How the Trainer is to train.

    Args:
        target: where the checkpoints go.
        train_rows: the number of training rows.
        choose_best: keep the best checkpoint by `metric_for_best_model` instead of the last.
            Early stopping needs it too.
    """
    metric = inputs.text("metric_for_best_model")
    best = choose_best or inputs.flag("apply_early_stopping")
    every = _evaluation_steps(inputs, train_rows)
    return TrainingArguments(
        output_dir=str(target),
        num_train_epochs=inputs.integer("num_train_epochs"),
        max_steps=_unless_negative(inputs.integer("max_steps")) or -1,
        per_device_train_batch_size=inputs.integer("per_device_train_batch_size"),
        per_device_eval_batch_size=inputs.integer("per_device_eval_batch_size"),
        auto_find_batch_size=inputs.flag("auto_find_batch_size"),
        gradient_accumulation_steps=inputs.integer("gradient_accumulation_steps"),
        eval_accumulation_steps=_unless_negative(inputs.integer("eval_accumulation_steps")),
        optim=OPTIMIZERS[inputs.text("optim")],
        learning_rate=inputs.number("learning_rate"),
        lr_scheduler_type=inputs.text("lr_scheduler_type"),
        warmup_steps=inputs.integer("warmup_steps"),
        weight_decay=inputs.number("weight_decay"),
        adam_beta1=inputs.number("adam_beta1"),
        adam_beta2=inputs.number("adam_beta2"),
        adam_epsilon=inputs.number("adam_epsilon"),
        max_grad_norm=inputs.number("max_grad_norm"),
        seed=inputs.integer("seed"),
        full_determinism=inputs.flag("enable_full_determinism"),
        dataloader_num_workers=min(inputs.integer("dataloader_num_workers"), os.cpu_count() or 1),
        dataloader_pin_memory=False,
        eval_strategy=inputs.text("evaluation_strategy"),
        eval_steps=every,
        save_strategy=inputs.text("evaluation_strategy"),
        save_steps=every,
        save_total_limit=_unless_negative(inputs.integer("save_total_limit")),
        load_best_model_at_end=best,
        metric_for_best_model=metric if best else None,
        greater_is_better=(metric != "loss") if best else None,
        logging_strategy=inputs.text("logging_strategy"),
        logging_steps=inputs.integer("logging_steps"),
        logging_nan_inf_filter=False,
        label_names=["labels"],
        remove_unused_columns=False,
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
    )


def _evaluation_steps(inputs: Inputs, train_rows: int) -> int:
    share = inputs.number("evaluation_steps_interval")
    if share > 0:
        return max(1, round(share * steps_per_epoch(inputs, train_rows)))
    return inputs.integer("eval_steps")


def _unless_negative(value: int) -> int | None:
    return value if value > 0 else None
