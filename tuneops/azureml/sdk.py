"""The Azure ML SDK itself."""


def load() -> None:
    """Import it, which takes seconds the first time, before a call has to count them.

    Its modules import each other: of several threads that begin with different ones, as the first
    messages of a new instance may, each sees another's half. All wait for the whole package.
    """
    import azure.ai.ml  # noqa: F401
