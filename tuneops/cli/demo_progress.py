"""The demo's view of a release: a line for each phase, a bar and the loss while it trains."""

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from tuneops.notify.messages import metrics_text
from tuneops.release import Phase
from tuneops.status import ReleaseStatus

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

SPARKS = "▁▂▃▄▅▆▇█"
SPARK_WIDTH = 24


class Progress:
    """Shows a release as it goes; a context while it is followed."""

    def __init__(self, console: Console, ml: "MLClient") -> None:
        self._console = console
        self._ml = ml
        self._mlflow: Any = None
        self._shown = 0

    def __enter__(self) -> "Progress":
        self._shown = 0
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[loss]}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, release: ReleaseStatus) -> None:
        """Print the phases that are new, and how far the training is."""
        for entry in release.history[self._shown :]:
            time = f"{entry.at.astimezone():%H:%M:%S}"
            line = f"  {time}  [bold]{entry.phase:<12}[/] {entry.reason}"
            self._bar.console.print(line, soft_wrap=True)
            if entry.phase == Phase.REGISTERING and release.metrics:
                self._bar.console.print(
                    f"{'':24}{metrics_text(release.metrics.values)}", soft_wrap=True
                )
        self._shown = len(release.history)
        if release.phase == Phase.TRAINING and release.job and release.training:
            epochs = release.training.parameters["num_train_epochs"].value
            self._show_training(release.job, float(epochs))
        elif self._task is not None:
            self._bar.console.print(f"{'':24}{self._bar.tasks[0].fields['loss']}")
            self._bar.remove_task(self._task)
            self._task = None

    def _show_training(self, job: str, epochs: float) -> None:
        if self._task is None:
            self._task = self._bar.add_task("            Training", total=epochs, loss="")
        losses = self._history(job, "loss")
        seen = self._history(job, "epoch")
        text = f"loss {losses[0]:.2f} {_spark(losses)} {losses[-1]:.2f}" if losses else ""
        self._bar.update(self._task, completed=seen[-1] if seen else 0, loss=text)

    def _history(self, job: str, metric: str) -> list[float]:
        """The metric's values so far; empty while the run is not there yet."""
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        if self._mlflow is None:
            workspace = self._ml.workspaces.get(self._ml.workspace_name)
            self._mlflow = MlflowClient(workspace.mlflow_tracking_uri)
        try:
            values = self._mlflow.get_metric_history(job, metric)
        except MlflowException:
            return []
        return [value.value for value in sorted(values, key=lambda value: value.step)]


def _spark(values: list[float]) -> str:
    """The values as a row of bars, at most `SPARK_WIDTH` of them."""
    step = max(1, len(values) // SPARK_WIDTH)
    shown = values[::step]
    low, high = min(shown), max(shown)
    scale = (len(SPARKS) - 1) / ((high - low) or 1)
    return "".join(SPARKS[round((value - low) * scale)] for value in shown)
