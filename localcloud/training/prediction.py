"""The exported model's answers to the test rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from localcloud.training.rows import Messages
from localcloud.training.steps import MODEL_PREDICTION, PipelineError, Tracker

MAX_ROWS = 100
"""Test rows that are answered; the first ones of a longer file."""

MAX_NEW_TOKENS = 128


@dataclass(frozen=True)
class Predictions:
    """Answers beside what was expected."""

    answers: list[str]
    expected: list[str]


def predict(mlflow_folder: Path, rows: Sequence[Messages], tracker: Tracker) -> Predictions:
    """Ask the model for the last answer of each conversation, greedily.

    Conversations that leave no room for an answer in the model's context are left out.

    Raises:
        PipelineError: that is every one of them.
        Cancelled: the tracker said so.
    """
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(str(mlflow_folder))
    result = Predictions([], [])
    for messages in rows[:MAX_ROWS]:
        tracker.check_cancelled()
        parameters = {"do_sample": False, "max_new_tokens": MAX_NEW_TOKENS}
        try:
            [answer] = model.predict([{"messages": messages[:-1], "parameters": parameters}])
        except ValueError:
            continue
        result.answers.append(answer)
        result.expected.append(messages[-1]["content"])
    if not result.answers:
        raise PipelineError(MODEL_PREDICTION, "every test row is longer than the model's context")
    return result
