"""The metrics of a training that does not take place."""

import math

from localcloud.training.inputs import Inputs, steps_per_epoch
from localcloud.training.steps import FINETUNE, PipelineError

MAX_POINTS = 10
"""Losses that are logged at most, however many steps there are."""

FIRST_LOSS, BEST_LOSS = 3.0, 0.3
BEST_RATE = 1e-3
HIGHEST_RATE = 1.0
"""With a higher learning rate the loss is not a number, as happens in reality."""


class Curve:
    """A loss that falls from step to step.

    It ends the lower the more steps there are and the nearer the learning rate is to 0.001, and
    depends on nothing else: the same inputs give the same metrics.
    """

    def __init__(self, inputs: Inputs, train_rows: int) -> None:
        """The course of a training with these inputs.

        Raises:
            PipelineError: the loss would be no number.
        """
        self._rate = inputs.number("learning_rate")
        if self._rate > HIGHEST_RATE:
            raise PipelineError(
                FINETUNE,
                f"the loss is not a number any more: learning_rate {self._rate:g} "
                "is too high for this data",
            )
        self._per_epoch = steps_per_epoch(inputs, train_rows)
        most = inputs.integer("max_steps")
        self.steps = most if most > 0 else self._per_epoch * inputs.integer("num_train_epochs")
        self._every = inputs.integer("logging_steps")
        self._rows = train_rows

    def points(self) -> list[int]:
        """The steps at which the loss is logged; the last one is always among them."""
        due = range(self._every, self.steps + 1, self._every)
        thinned = due[:: max(1, math.ceil(len(due) / MAX_POINTS))]
        return sorted({*thinned, self.steps})

    def logged(self, step: int) -> dict[str, float]:
        """What is logged at a step."""
        return {
            "loss": self.loss(step),
            "grad_norm": 1.0,
            "learning_rate": self._rate * (1 - step / self.steps),
            "epoch": step / self._per_epoch,
        }

    def evaluated(self, rows: int, seconds: float) -> dict[str, float]:
        """What the evaluation at the end comes to."""
        loss = self.loss(self.steps) * 1.05
        return {
            "eval_loss": loss,
            "eval_exact": math.exp(-loss),
            "eval_f1": math.exp(-loss / 2),
            "eval_runtime": seconds,
            "eval_samples_per_second": rows / max(seconds, 1e-3),
            "epoch": self.steps / self._per_epoch,
        }

    def trained(self, seconds: float) -> dict[str, float]:
        """What is logged once the training is over."""
        return {
            "train_loss": (self.loss(0) + self.loss(self.steps)) / 2,
            "train_runtime": seconds,
            "train_samples_per_second": self._rows / max(seconds, 1e-3),
            "train_steps_per_second": self.steps / max(seconds, 1e-3),
            "epoch": self.steps / self._per_epoch,
        }

    def loss(self, step: int) -> float:
        """The training loss after a step."""
        best = BEST_LOSS + 0.3 * abs(math.log10(max(self._rate, 1e-9) / BEST_RATE))
        return best + max(0.0, FIRST_LOSS - best) * math.exp(-step / 4)
