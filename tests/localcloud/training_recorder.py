"""A tracker that keeps what a training run reports, and rows to train on."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from localcloud.training.steps import Cancelled

CHATS = [
    (f"How much is the {thing}?", f"The {thing} costs {n} dollars.")
    for n, thing in enumerate(
        ("Oak tent", "Elm stove", "Fern mat", "Moss lamp", "Ivy chair", "Reef kayak"), 11
    )
]


class Recorder:
    """A tracker that keeps everything, and cancels after some checks if told so."""

    def __init__(self, cancel_after: int | None = None) -> None:
        self.steps: list[str] = []
        self.failed: list[str] = []
        self.params: dict[str, object] = {}
        self.metrics: list[tuple[str, int, dict[str, float]]] = []
        self._checks_left = cancel_after

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.steps.append(name)
        try:
            yield
        except Exception:
            self.failed.append(name)
            raise

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        self.metrics.append((self.steps[-1], step, dict(metrics)))

    def log_params(self, params: Mapping[str, object]) -> None:
        self.params.update(params)

    def check_cancelled(self) -> None:
        if self._checks_left is not None:
            self._checks_left -= 1
            if self._checks_left < 0:
                raise Cancelled("test")

    def values(self, metric: str) -> list[tuple[int, float]]:
        """Step and value of each time the metric was logged."""
        return [(step, logged[metric]) for _, step, logged in self.metrics if metric in logged]


def conversation(*turns: str) -> dict[str, object]:
    """A row: user and assistant in turn."""
    roles = ("user", "assistant") * len(turns)
    messages = [{"role": r, "content": c} for r, c in zip(roles, turns, strict=False)]
    return {"prompt": turns[0], "messages": messages}


def write_rows(path: Path, chats: Sequence[Sequence[str]]) -> Path:
    """The chats as a JSON Lines file."""
    path.write_text("".join(json.dumps(conversation(*chat)) + "\n" for chat in chats))
    return path
