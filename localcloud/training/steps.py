"""The steps of the pipeline, and what connects them to whoever runs them."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

# Names and order are those of `chat_completion_pipeline` in the registry `azureml`.
VALIDATION = "ft_nlp_common_validation"
MODEL_IMPORT = "chat_completion_model_import"
DATA_PREPROCESS = "chat_completion_datapreprocess"
FINETUNE = "chat_completion_finetune"
MODEL_CONVERTER = "chat_completion_model_converter"
MODEL_PREDICTION = "model_prediction"
COMPUTE_METRICS = "compute_metrics"

STEPS: tuple[str, ...] = (
    VALIDATION,
    MODEL_IMPORT,
    DATA_PREPROCESS,
    FINETUNE,
    MODEL_CONVERTER,
    MODEL_PREDICTION,
    COMPUTE_METRICS,
)


class PipelineError(Exception):
    """The user's mistake: an input or the data cannot be used. Its text says what to change."""

    def __init__(self, step: str, message: str) -> None:
        super().__init__(f"{step}: {message}")
        self.step = step
        self.message = message


class Cancelled(Exception):  # noqa: N818 - it is no error
    """The job was cancelled."""


class Tracker(Protocol):
    """Whoever runs the pipeline and is told how it goes."""

    def step(self, name: str) -> AbstractContextManager[None]:
        """A step runs inside the block; what is raised there is how it failed."""

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Metrics of the current step, at one of its training steps."""

    def log_params(self, params: Mapping[str, object]) -> None:
        """Parameters of the current step."""

    def check_cancelled(self) -> None:
        """Look whether the job is to end; called often.

        Raises:
            Cancelled: it is.
        """
