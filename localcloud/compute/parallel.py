"""The command that runs a parallel step: `parallel_driver`, told what to do by a file."""

import json
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from localcloud.compute import parallel_driver
from localcloud.compute.command import fill_in
from localcloud.compute.control import Json

MAX_PROCESSES = 16


class ParallelRun:
    """One run of a parallel step.

    Azure starts `per_instance` worker processes, or as many as there are cores, on each of the
    step's instances. Here they all run on the one node, at most 16 of them.
    """

    def __init__(self, settings: Json, code: Path, work: Path) -> None:
        self._settings = settings
        self._code = code
        self._orders = work / "parallel.json"
        self._reason = work / "reason.txt"

    def command(self, inputs: Mapping[str, object], outputs: Mapping[str, Path]) -> str:
        """The command line."""
        settings = self._settings
        wanted = settings["instances"] * (settings["per_instance"] or os.cpu_count() or 1)
        results = settings["append_row_to"] and fill_in(settings["append_row_to"], inputs, outputs)
        orders = settings | {
            "entry_script": str(self._code / settings["entry_script"]),
            "arguments": [fill_in(word, inputs, outputs) for word in settings["arguments"]],
            "data": str(inputs[settings["input"]]),
            "append_row_to": results,
            "processes": min(wanted, MAX_PROCESSES),
            "reason": str(self._reason),
        }
        self._orders.write_text(json.dumps(orders))
        return shlex.join([sys.executable, "-P", parallel_driver.__file__, str(self._orders)])

    def reason(self) -> str:
        """Why the step failed, empty when it does not know itself."""
        return self._reason.read_text() if self._reason.exists() else ""
