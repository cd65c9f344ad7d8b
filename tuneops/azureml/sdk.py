"""The Azure ML SDK itself."""


def load() -> None:
    """Import it, which takes seconds the first time, so that no call has to count them."""
    import azure.ai.ml  # noqa: F401
