"""The app starts light: what a trigger does not need at once is not imported."""

import ast
import json
import subprocess
import sys
from collections.abc import Collection, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.importing import unwatched

ROOT = Path(__file__).parents[1]
OURS = ("tuneops", "handlers")
OWN_START = {
    "tuneops",
    "tuneops.hosting",
    "tuneops.page",
    "tuneops.page.answer",
    "tuneops.page.asked",
    "tuneops.page.way",
    "tuneops.telemetry",
    "tuneops.telemetry.trigger",
}
"""All that `function_app` imports of ours."""
HEAVY = ("azure.ai.ml", "datasets", "jinja2", "jwt", "mlflow", "pandas", "pyarrow", "torch")
SDKS = ("azure.identity", "azure.storage")
CLIENTS = ("gidgethub.abc", "httpx2", "requests", "tuneops.azureml", "tuneops.gitops.github")


def loaded(code: str) -> list[str]:
    """The modules that a process has after running `code`."""
    tell = "import json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{tell}"],
        cwd=ROOT,
        env=unwatched(),
        capture_output=True,
        text=True,
        check=True,
    )
    modules: list[str] = json.loads(done.stdout)
    return modules


def of(modules: list[str], *packages: str) -> set[str]:
    """Those that are one of the packages, or within one."""
    return {name for name in modules if any(f"{name}.".startswith(f"{p}.") for p in packages)}


def test_the_app_imports_the_functions_library_and_hardly_anything_of_ours() -> None:
    before, after = loaded("import azure.functions"), loaded("import function_app")
    assert set(after) - set(before) - set(sys.stdlib_module_names) == {"function_app", *OWN_START}


@pytest.mark.parametrize(
    ("handler", "absent", "budget"),
    [
        pytest.param("config_merged", (*HEAVY, *SDKS, *CLIENTS), 570, id="webhook"),
        pytest.param("deliver", (*HEAVY, *SDKS, *CLIENTS), 560, id="deliver"),
        pytest.param("reconcile", (*HEAVY, *SDKS, *CLIENTS), 560, id="reconcile"),
        pytest.param("job_event", (*HEAVY, "tuneops.config"), 795, id="events"),
        pytest.param("sweep", (*HEAVY, "tuneops.config"), 780, id="timers"),
        pytest.param(
            "page",
            ("azure.ai.ml", "datasets", "pandas", "tuneops.azureml", "tuneops.gitops.github"),
            810,
            id="page",
        ),
    ],
)
def test_a_handler_imports_what_its_event_takes(
    handler: str, absent: tuple[str, ...], budget: int
) -> None:
    modules = loaded(
        f"import function_app; from tuneops import services; import handlers.{handler}"
    )
    assert of(modules, *absent) == set()
    assert len(modules) <= budget


def test_no_handler_imports_what_trains() -> None:
    names = [file.stem for file in (ROOT / "handlers").glob("[a-z]*.py")]
    modules = loaded("\n".join(f"import handlers.{name}" for name in names))
    heavy = tuple(name for name in HEAVY if name != "jinja2")
    assert of(modules, "handlers") == {"handlers", *(f"handlers.{name}" for name in names)}
    assert of(modules, *heavy) == set()


def test_first_invocations_may_come_at_the_same_time() -> None:
    # Threads that import modules which import each other may see one that is half done.
    files = _files()
    graph = {name: set(_imported_at_once(file, files)) for name, file in files.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"these import each other: {error.args[1]}")


RACE = """
import sys
from threading import Barrier, Thread
from tuneops.azureml import sdk
sys.setswitchinterval(1e-5)
parts = ("constants", "dsl", "entities", "exceptions")
begin, failed = Barrier(8), []
def invoke(part):
    begin.wait()
    try:
        sdk.load()
        __import__(f"azure.ai.ml.{part}")
    except BaseException as error:
        failed.append(repr(error))
threads = [Thread(target=invoke, args=(parts[n % 4],)) for n in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert not failed, failed
"""


@pytest.mark.soak
@pytest.mark.parametrize("run", range(3))
def test_threads_that_load_the_sdk_at_the_same_time_all_get_the_whole(run: int) -> None:
    assert of(loaded(RACE), "azure.ai.ml.entities")


def _files() -> dict[str, Path]:
    found = [file for package in OURS for file in (ROOT / package).rglob("*.py")]
    return {_name(file): file for file in found}


def _name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def _imported_at_once(file: Path, known: Collection[str]) -> Iterator[str]:
    """What of ours a module imports when it is imported itself: at its top level."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in known else node.module for name in inner)
