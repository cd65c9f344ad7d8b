"""The model of a simulated training, as an MLflow folder of the real shape."""

import json
import platform
import shutil
from pathlib import Path

from localcloud.simulated import table
from localcloud.simulated.table import Table

BASE_MODEL = "simulated-base-model"
WEIGHTS = "pytorch_model_folder"
DATA = f"artifacts/{WEIGHTS}"
_ML_MODEL = f"""\
flavors:
  python_function:
    data: {DATA}
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    python_version: {platform.python_version()}
    loader_module: {table.__name__}
metadata:
  simulated: true
  task: chat-completion
"""
_CONDA = """\
channels:
- conda-forge
dependencies:
- python
- pip
- pip:
  - -r requirements.txt
name: mlflow-env
"""
_FILES = {
    "MLmodel": _ML_MODEL,
    "conda.yaml": _CONDA,
    "python_env.yaml": "dependencies:\n- -r requirements.txt\n",
    "requirements.txt": "mlflow-skinny\n",
}


def write_weights(folder: Path, answers: Table) -> None:
    """What stands in for weights and their configuration."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "simulated"}), encoding="utf-8")
    answers.save(folder)


def write_mlflow(weights: Path, target: Path) -> None:
    """The MLflow model with these weights."""
    shutil.copytree(weights, target / DATA)
    for name, content in _FILES.items():
        (target / name).write_text(content, encoding="utf-8")


def write_base_model(state_dir: Path) -> Path:
    """The registry's foundation model, which knows no answer, as an MLflow model folder."""
    folder = state_dir / BASE_MODEL
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_weights(folder / WEIGHTS, Table.of([]))
    write_mlflow(folder / WEIGHTS, folder / "mlflow_model_folder")
    return folder / "mlflow_model_folder"
