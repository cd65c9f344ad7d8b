"""`chat_completion_pipeline` without the training: the real steps in the real order."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localcloud.simulated.curve import Curve
from localcloud.simulated.model import WEIGHTS, write_mlflow, write_weights
from localcloud.simulated.table import Table
from localcloud.training.inputs import Inputs
from localcloud.training.pipeline import check_inputs, import_model, log_answers, read_files
from localcloud.training.prediction import MAX_ROWS
from localcloud.training.rows import Messages
from localcloud.training.steps import (
    COMPUTE_METRICS,
    DATA_PREPROCESS,
    FINETUNE,
    MODEL_CONVERTER,
    MODEL_IMPORT,
    MODEL_PREDICTION,
    VALIDATION,
    Tracker,
)

CANCEL_CHECK_SECONDS = 0.5


class Simulation:
    """Runs of the pipeline that take `seconds` each."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def run(self, given: Mapping[str, Any], output_dir: Path, tracker: Tracker) -> None:
        """Read the data, report made-up metrics, write a model that answers from the data.

        It knows all rows that it was given, those to test with as well. Inputs and outputs are
        those of `localcloud.training.pipeline.run_chat_completion`.

        Raises:
            PipelineError: an input or the data cannot be used.
            Cancelled: the tracker said so.
        """
        weights = output_dir / WEIGHTS
        with tracker.step(VALIDATION):
            inputs = check_inputs(given, tracker)
        with tracker.step(MODEL_IMPORT):
            import_model(inputs)
        with tracker.step(DATA_PREPROCESS):
            train, evaluation, test = read_files(inputs)
            tracker.log_params({"train_rows": len(train), "evaluation_rows": len(evaluation)})
        with tracker.step(FINETUNE):
            self._pretend(inputs, len(train), len(evaluation), tracker)
            answers = Table.of([*train, *evaluation, *test])
            write_weights(weights, answers)
        with tracker.step(MODEL_CONVERTER):
            write_mlflow(weights, output_dir / "mlflow_model_folder")
        with tracker.step(MODEL_PREDICTION):
            asked = test[:MAX_ROWS]
            given_answers = [answers.answer(messages[:-1]) for messages in asked]
        with tracker.step(COMPUTE_METRICS):
            log_answers(given_answers, _expected(asked), tracker)

    def _pretend(self, inputs: Inputs, train: int, evaluation: int, tracker: Tracker) -> None:
        """Wait as long as the job is to take, and report a loss that falls meanwhile."""
        curve = Curve(inputs, train)
        points = curve.points()
        pause = self._seconds / len(points)
        for step in points:
            _sleep(pause, tracker)
            tracker.log_metrics(curve.logged(step), step)
        tracker.log_metrics(curve.evaluated(evaluation, self._seconds), curve.steps)
        tracker.log_metrics(curve.trained(self._seconds), curve.steps)


def _expected(rows: list[Messages]) -> list[str]:
    return [messages[-1]["content"] for messages in rows]


def _sleep(seconds: float, tracker: Tracker) -> None:
    """Wait, and look meanwhile whether the job is to end."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, CANCEL_CHECK_SECONDS))
        tracker.check_cancelled()
