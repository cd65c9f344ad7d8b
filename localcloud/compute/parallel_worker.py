"""A worker process of a parallel step: calls the entry script's functions.

Used as a script: `parallel_worker.py SOCKET ENTRY_SCRIPT [ARGUMENT ...]`, and with the standard
library alone. `init()` is called once, then `run(mini_batch)` for each list of files that comes
from the socket, and at the end `shutdown()` if there is one.
"""

import importlib.util
import json
import socket
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

MAX_MESSAGE = 1000

Answer = dict[str, Any]


class Script:
    """An entry script."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._module = ModuleType(path.stem)

    def start(self) -> Answer:
        """Load the script and let it begin."""
        spec = importlib.util.spec_from_file_location(self._path.stem, self._path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{self._path.name} is no Python file")
        self._module = importlib.util.module_from_spec(spec)
        sys.modules[self._path.stem] = self._module
        spec.loader.exec_module(self._module)
        self._module.init()
        return {"error": ""}

    def run(self, batch: list[str]) -> Answer:
        """The results of a mini batch as text, and what is wrong with them."""
        results = self._module.run(batch)
        if not isinstance(results, list | tuple):
            kind = type(results).__name__
            return {"error": f"run() must return a list or a tuple, not {kind}."}
        short = f"run() returned {len(results)} results for {len(batch)} files."
        error = short if len(results) < len(batch) else ""
        return {"results": [str(result) for result in results], "error": error}

    def shutdown(self) -> None:
        """The script's end."""
        getattr(self._module, "shutdown", lambda: None)()


def main() -> None:
    """Serve until the socket closes."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    path = Path(sys.argv[2])
    sys.argv[:] = sys.argv[2:]
    sys.path[:0] = dict.fromkeys((str(path.parent), str(Path.cwd())))
    with channel.makefile("r") as batches, channel.makefile("w") as answers:
        script = Script(path)
        print(json.dumps(_attempt(script.start)), file=answers, flush=True)
        for line in batches:
            answer = _attempt(partial(script.run, json.loads(line)))
            print(json.dumps(answer), file=answers, flush=True)
    script.shutdown()


def _attempt(call: Callable[[], Answer]) -> Answer:
    """What the script answers; that it fails is an answer as well."""
    try:
        return call()
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"[:MAX_MESSAGE]}


if __name__ == "__main__":
    main()
