"""How the machine learning libraries are to behave, settled before they are imported."""

import os
import warnings

SETTINGS = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}

NOTHING_TO_DO_ABOUT = (
    r"(?s).*Any type hint is inferred as AnyType",
    "`is_gradient_checkpointing` is deprecated",
)
"""Warnings on what the libraries do among themselves."""


def prepare_environment() -> None:
    """Keep the libraries offline and quiet; call it before they are imported.

    What the caller's environment says already is left as it is.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    for message in NOTHING_TO_DO_ABOUT:
        warnings.filterwarnings("ignore", message)
