"""The container of a deployment: an MLflow chat model behind HTTP."""
