"""Samples of processes: their memory, their open files, and how many releases are in flight."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import psutil
from azure.core.exceptions import AzureError

EVERY_SECONDS = 3.0
RELEASES_EVERY = 5
"""Releases are counted in one of so many samples: all of them are read for it."""

Figure = Literal["megabytes", "files"]


def processes_of(state: Path, part: str) -> list[psutil.Process]:
    """The processes of a part of a local cloud."""
    wanted = {f"localcloud.{part}", str(state)}
    found = psutil.process_iter(["cmdline"])
    return [process for process in found if wanted <= {*(process.info["cmdline"] or ())}]


@dataclass(frozen=True)
class Sample:
    """How it was so many seconds after the beginning."""

    at: float
    megabytes: float
    files: float


class Sampling:
    """Samples while the block lasts, and the most releases that were in flight at once."""

    def __init__(self, processes: list[psutil.Process], in_flight: Callable[[], int]) -> None:
        self._processes = processes
        self._in_flight = in_flight
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self.samples: list[Sample] = []
        self.most_in_flight = 0
        self.ended = False
        """Whether one of the processes is there no more."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def values(self, of: Figure) -> list[float]:
        """All values of one figure."""
        return [getattr(sample, of) for sample in self.samples]

    def after(self, part: float, of: Figure) -> list[tuple[float, float]]:
        """The values of one figure with their times, without the first part of them."""
        kept = self.samples[round(len(self.samples) * part) :]
        return [(sample.at, getattr(sample, of)) for sample in kept]

    def _sample(self) -> None:
        begun = time.monotonic()
        while not self._over.wait(EVERY_SECONDS):
            if len(self.samples) % RELEASES_EVERY == 0:
                with suppress(AzureError):
                    self.most_in_flight = max(self.most_in_flight, self._in_flight())
            try:
                megabytes = sum(each.memory_info().rss for each in self._processes) / 2**20
                files = float(sum(each.num_fds() for each in self._processes))
            except psutil.NoSuchProcess:
                self.ended = True
                return
            self.samples.append(Sample(time.monotonic() - begun, megabytes, files))
