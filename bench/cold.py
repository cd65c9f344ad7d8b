"""The first answered request of a fresh process, beside an app that imports the SDK at its top.

    python bench/cold.py STATE RUNS

Seconds from the start of Python until a signed webhook is accepted, which needs the app, its
settings, storage and the handler. The peer is the same app in a module that imports azure.ai.ml
first, as an app does that is written like the tutorial. They take turns.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from blobs import storage
from start import HERE, ROOT, app_settings

FIRST = "from start import invoked; invoked('github_webhook')"
WAYS = {"app": FIRST, "peer": f"import azure.ai.ml; {FIRST}"}


def main(state: Path, runs: int) -> None:
    """Print the seconds of each way; the first of each may compile modules and is not counted."""
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    path = os.pathsep.join((str(HERE), str(ROOT)))
    with storage(state, HERE / "words.txt") as connection:
        environment = {**os.environ, **app_settings(connection), "PYTHONPATH": path}
        for turn in range(runs + 1):
            for way, program in WAYS.items():
                begun = time.perf_counter()
                subprocess.run([sys.executable, "-c", program], env=environment, check=True)
                if turn:
                    found[way].append(time.perf_counter() - begun)
    app, peer = found.values()
    result = {
        "app_seconds": round(median(app), 2),
        "peer_seconds": round(median(peer), 2),
        "app_takes_of_peer": round(median(a / b for a, b in zip(app, peer, strict=True)), 2),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
