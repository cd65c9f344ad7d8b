"""How soon a package with its dependencies starts, in a Python that has nothing else.

    python -m tools.package.cold PACKAGE [RUNS]

Each run is a process of its own. It tells the seconds of processor time until the functions
are known, and until the modules that a trigger's first invocation takes are imported as well.
"""

import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from tools.package.wheels import SITE

FIRST = {
    "webhook": "handlers.config_merged azure.storage.queue",
    "reconcile": "handlers.reconcile tuneops.reconcile azure.storage.queue",
    "with the Azure ML SDK": "tuneops.reconcile azure.ai.ml",
}
MEASURE = """
import sys, time
sys.dont_write_bytecode = True
app, site, *modules = sys.argv[1:]
sys.path[:0] = [app, site]
begun = time.process_time()
import function_app
assert function_app.app.get_functions()
indexed = time.process_time() - begun
import importlib
for module in modules:
    importlib.import_module(module)
print([indexed, time.process_time() - begun])
"""


def base_python() -> str:
    """The Python that this environment was made of; with ``-I -S`` it has no packages."""
    return str(getattr(sys, "_base_executable", sys.executable))


def measured(app: Path, runs: int) -> dict[str, float]:
    """Seconds: medians."""
    found: dict[str, list[float]] = {"index": []}
    for _ in range(runs):
        for name, modules in FIRST.items():
            place = [str(app), str(app / SITE)]
            line = [base_python(), "-I", "-S", "-c", MEASURE, *place, *modules.split()]
            done = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True)
            indexed, whole = json.loads(done.stdout)
            found["index"].append(indexed)
            found.setdefault(name, []).append(whole)
    return {name: round(median(seconds), 2) for name, seconds in found.items()}


def main(package: Path, runs: int) -> None:
    """Measure, and print."""
    with TemporaryDirectory() as folder:
        with ZipFile(package) as archive:
            archive.extractall(folder)
        print(json.dumps(measured(Path(folder), runs), indent=2))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
