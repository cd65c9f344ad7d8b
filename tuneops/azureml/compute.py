"""Checking the cluster that is to train."""

from tuneops.azureml.errors import RefusedError, azure_errors
from tuneops.azureml.workspace import Workspace, plain
from tuneops.config import Compute


def check(workspace: Workspace, compute: Compute) -> None:
    """Make sure that the cluster exists and can run a job of this size.

    Raises:
        RefusedError: it does not exist, failed to provision, or has too few nodes.
        UnavailableError: the workspace can't be asked now.
    """
    with azure_errors(f"compute {compute.name}"):
        cluster = workspace.ml.compute.get(compute.name)
    if plain(cluster.provisioning_state).lower() == "failed":
        raise RefusedError(
            f"compute {compute.name} failed to provision: repair it or name another cluster"
        )
    max_nodes = getattr(cluster, "max_instances", None)
    if max_nodes is not None and max_nodes < compute.nodes:
        raise RefusedError(
            f"compute {compute.name} has at most {max_nodes} nodes, compute.nodes asks for "
            f"{compute.nodes}"
        )
