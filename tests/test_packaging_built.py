"""The built package in a Python that has nothing else: Microsoft's worker indexes and runs it."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree
from typing import Any
from zipfile import ZipFile

import pytest

from tests.test_functions_worker import (
    TIMER,
    WORKER,
    app_settings,
    event,
    message,
    order,
    run_worker,
    webhook,
)
from tools.package.build import MAX_MB, build_whole
from tools.package.cold import base_python
from tools.package.target import Target
from tools.package.wheels import SITE
from tuneops.services import Services

pytestmark = pytest.mark.soak
ROOT = Path(__file__).parents[1]
PYTHON = "{}.{}".format(*sys.version_info)
RUN = """
import json, runpy, sys
worker, app, site = sys.argv[1:]
sys.path[:0] = [app, site, worker]
sys.argv = [FILE, app]
runpy.run_path(FILE, run_name="__main__")
files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
assert all(file.startswith(site) for file in files if "-packages" in file), files
"""
EACH = """
import importlib, sys
app, site, *modules = sys.argv[1:]
sys.path[:0] = [app, site]
for module in modules:
    importlib.import_module(module)
"""
DEPENDENCIES = (
    "apprise azure.ai.ml azure.ai.ml.dsl azure.eventgrid backports.zstd datasets gidgethub.apps "
    "huggingface_hub mlflow azureml.mlflow PIL.ImageDraw pyarrow.compute pyarrow.dataset "
    "pyarrow.parquet rapidfuzz re2 xxhash"
)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the package becomes when it is deployed."""
    folder = tmp_path_factory.mktemp("package")
    made = build_whole(ROOT, folder, Target(PYTHON))
    assert made.mb <= MAX_MB
    with ZipFile(made.path) as archive:
        archive.extractall(folder / "app")
    made.path.unlink()
    return folder / "app"


def clean(code: str, *arguments: str, **options: Any) -> str:
    """What a program prints in a Python without the packages and settings of this one."""
    line = [base_python(), "-I", "-S", "-c", code, *arguments]
    done = subprocess.run(line, capture_output=True, text=True, timeout=600, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_microsofts_worker_indexes_and_runs_it(
    package: Path, tmp_path: Path, services: Services
) -> None:
    for name in ("azure_functions_runtime", "azurefunctions"):
        spec = find_spec(name)
        assert spec is not None
        assert spec.submodule_search_locations
        copytree(spec.submodule_search_locations[0], tmp_path / name)
    invocations = [
        webhook(services, "secret"),
        event("on_job_event", "Microsoft.MachineLearningServices.RunCompleted", "s", runId="x"),
        message(kind="project", project="stranger"),
        {**message(kind="deliver", channel="github", stream="stranger"), "function": "deliver"},
        TIMER,
        {"function": "page", "data": {"http": {}}},
        {"function": "health", "data": {"http": {}}},
        order("rollback", "stranger", action="pin"),
    ]
    settings = app_settings(services.settings)
    printed = clean(
        f"FILE = {str(WORKER)!r}\n{RUN}",
        *map(str, (tmp_path, package, package / SITE)),
        input=json.dumps(invocations),
        env=settings,
    )
    answer = json.loads(printed.splitlines()[-1])
    assert [result["status"] for result in answer["results"]] == ["Success"] * len(invocations)
    codes = [result["code"] for result in answer["results"] if "code" in result]
    assert codes == [202, 200, 200, 404]
    assert answer["functions"] == run_worker(ROOT, [], settings)["functions"]


def test_each_of_our_modules_and_what_they_import_later_can_be_imported(package: Path) -> None:
    files = [file for name in ("handlers", "tuneops") for file in (package / name).rglob("*.py")]
    modules = [".".join(file.relative_to(package).with_suffix("").parts) for file in files]
    ours = [name.removesuffix(".__init__") for name in modules]
    clean(EACH, str(package), str(package / SITE), *sorted(ours), *DEPENDENCIES.split())
