"""Which actions the workspace's own services ask for: MLflow's tracking server and run history.

https://learn.microsoft.com/azure/machine-learning/how-to-assign-roles#mlflow-operations
"""

import re

from starlette.requests import Request

_ML = "Microsoft.MachineLearningServices/workspaces"
_READS = ("get", "get-by-name", "list", "search", "get-history")
_SCOPE = r"/subscriptions/.*?/workspaces/[^/]+"
_WORKSPACE = re.compile(rf"/(?:mlflow|history)/v[12]\.0(?P<scope>{_SCOPE})")


def action_of(request: Request) -> tuple[str, str]:
    """The action that a call asks for, and the workspace that it is asked in."""
    path = request.scope["path"]
    found = _WORKSPACE.match(path)
    scope = found["scope"] if found else path
    thing, _, verb = path.partition("/api/2.0/mlflow/")[2].partition("/")
    if thing:
        return f"{_kind(thing)}/{'read' if verb in _READS else 'write'}", scope
    reads = request.method == "GET" or path.endswith("/rundata")
    return f"{_ML}/experiments/runs/{'read' if reads else 'write'}", scope


def _kind(thing: str) -> str:
    return f"{_ML}/experiments" if thing == "experiments" else f"{_ML}/experiments/runs"
