"""From a transformers folder to an MLflow model that carries its own code."""

from importlib.metadata import version
from pathlib import Path

CHAT_MODEL = Path(__file__).parents[1] / "serving" / "chat_model.py"
REQUIREMENTS = ("mlflow-skinny", "pandas", "safetensors", "tokenizers", "torch", "transformers")


def export_mlflow(model_folder: Path, target: Path) -> None:
    """Write the model and its tokenizer as an MLflow pyfunc that answers chats.

    Args:
        model_folder: weights, configuration and tokenizer as `save_pretrained` writes them.
        target: the new MLflow model folder.
    """
    import mlflow.pyfunc

    mlflow.pyfunc.save_model(
        path=str(target),
        python_model=str(CHAT_MODEL),
        artifacts={"model": str(model_folder)},
        pip_requirements=[f"{name}=={_public(version(name))}" for name in REQUIREMENTS],
        metadata={"task": "chat-completion"},
    )


def transformers_folder(mlflow_folder: Path) -> Path:
    """Where `export_mlflow` put the weights, configuration and tokenizer.

    Raises:
        ValueError: the folder is no MLflow model with a transformers folder in it.
    """
    found = sorted(mlflow_folder.glob("artifacts/*/config.json"))
    if not (mlflow_folder / "MLmodel").is_file() or len(found) != 1:
        raise ValueError("is no MLflow model with one transformers model in its artifacts")
    return found[0].parent


def _public(installed: str) -> str:
    """A version without its local part, as in 2.13.0+cpu."""
    return installed.partition("+")[0]
