"""An exported MLflow model, loaded to answer."""

from pathlib import Path

from localcloud.serving.payload import InputData, model_input


class LoadedModel:
    """Answers the conversations of a request."""

    def __init__(self, folder: Path) -> None:
        """Load the model (about five seconds, most of them imports).

        Raises:
            mlflow.exceptions.MlflowException: the folder holds no MLflow model.
        """
        from localcloud.training.environment import prepare_environment

        prepare_environment()
        import mlflow.pyfunc
        import torch

        # See localcloud.training.threads.
        torch.set_num_threads(1)
        self._torch = torch
        self._model = mlflow.pyfunc.load_model(str(folder))

    def __call__(self, data: InputData) -> list[str]:
        """The answers, in the order of the conversations.

        Raises:
            ValueError: a conversation is too long.
        """
        if data.parameters.seed is not None:
            self._torch.manual_seed(data.parameters.seed)
        return [str(answer) for answer in self._model.predict(model_input(data))]
