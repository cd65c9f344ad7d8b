"""What the events are about: a repository with a config for each project, and their data."""

import random
import threading
from collections import defaultdict
from dataclasses import dataclass, field

from azure.storage.blob import BlobServiceClient

from tests.cloud import QUICK, Cloud, config, jsonl, some_rows
from tests.under_load.plan import Planned

PER_PUSH = 3
"""So many projects have another config after a push."""
FIRST_STEPS = 2


def name_of(number: int) -> str:
    """A project's name."""
    return f"p-{number:04}"


@dataclass
class World:
    """Changes git and the data, and remembers what each project should come to."""

    cloud: Cloud
    projects: int
    seed: int = 0
    steps: dict[str, int] = field(default_factory=dict)
    """The steps of training that each project's newest config asks for."""
    data: dict[str, str] = field(default_factory=dict)
    """The ETag of each project's newest data."""

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        self._git = threading.Lock()
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._blobs: BlobServiceClient = self.cloud.blobs
        self.commit = ""
        self._uploads = 0

    @property
    def names(self) -> list[str]:
        """All projects."""
        return [name_of(number) for number in range(self.projects)]

    def begin(self) -> None:
        """Commit a config for each project."""
        self._merge(dict.fromkeys(self.names, FIRST_STEPS))

    def change(self, event: Planned) -> None:
        """Do what the event tells of."""
        if event.kind == "upload":
            self._upload(name_of(event.project))
        else:
            others = (self._dice.randrange(self.projects) for _ in range(PER_PUSH - 1))
            names = {name_of(number) for number in (event.project, *others)}
            with self._git:
                self._merge({name: self.steps[name] + 1 for name in sorted(names)})

    def _merge(self, steps: dict[str, int]) -> None:
        self.commit = self.cloud.merge(
            {
                f"{name}.yaml": config(name, training={"parameters": {**QUICK, "max_steps": count}})
                for name, count in steps.items()
            }
        )
        self.steps |= steps

    def _upload(self, name: str) -> None:
        self._uploads += 1
        rows = jsonl(some_rows(20 + self._uploads % 100))
        with self._locks[name]:
            blob = self._blobs.get_blob_client("datasets", f"{name}/chats.jsonl")
            written = blob.upload_blob(rows, overwrite=True)
            self.data[name] = str(written["etag"])
