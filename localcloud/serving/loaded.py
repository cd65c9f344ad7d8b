"""Imports what scoring needs, before processes are split off that score."""

import gc
from importlib import import_module

from localcloud.training.environment import prepare_environment

prepare_environment()
for _name in (
    "uvicorn",
    "mlflow.pyfunc",
    "torch",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.phi3.modeling_phi3",
    "localcloud.serving.scoring",
):
    import_module(_name)
# What is loaded stays: looking through it for garbage would copy it into each process.
gc.freeze()
