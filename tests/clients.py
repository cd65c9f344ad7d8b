"""Clients of an endpoint in a process of their own."""

import subprocess
import sys
from typing import Self

from tests.asking import Seen, Task
from tests.cloud import ROOT, Cloud


class Clients:
    """Requests to an endpoint at a rate while the block lasts; `seen` is what became of them."""

    def __init__(self, cloud: Cloud, endpoint: str, rate: int) -> None:
        self._task = Task(
            url=f"{cloud.connection['azureml_url']}/endpoints/{endpoint}/score",
            key=str(cloud.ml.online_endpoints.get_keys(endpoint).primary_key),
            ca_file=cloud.connection["ca_file"],
            rate=rate,
        )
        self.seen = Seen()

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.asking"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(self._task.model_dump_json() + "\n")
        self._process.stdin.flush()
        return self

    def __exit__(self, *_: object) -> None:
        out, _ = self._process.communicate()
        assert self._process.returncode == 0
        self.seen = Seen.model_validate_json(out)
