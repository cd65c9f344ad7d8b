"""A job's services: where it is watched, and those that it asks for.

Nothing here starts a service in a job. One that a job asks for is kept and shown as failed, with
the reason, and the job runs without it.
"""

from collections.abc import Mapping

from localcloud.azureml.arm import Json
from localcloud.azureml.site import Site

REASON = "The local cloud starts no services in jobs."
_WATCHED = ("Tracking", "Studio")
_UNSET = ("port", "endpoint", "status", "errorMessage", "properties", "nodes")


def job_services(site: Site, name: str, wanted: Mapping[str, Json]) -> Json:
    """The services of a job that was submitted with those that it wants."""
    connection = site.connection
    studio = connection.cloud.metadata.azure_portal.rstrip("/")
    # The studio names a workspace in a way of its own.
    workspace = (
        f"/subscriptions/{connection.subscription_id}/resourcegroups/{connection.resource_group}"
        f"/workspaces/{connection.workspace}"
    )
    endpoints = {
        "Tracking": f"{site.mlflow_uri}?",
        "Studio": f"{studio}/runs/{name}?wsid={workspace}",
    }
    unset = dict.fromkeys(_UNSET)
    failed = {"status": "Failed", "errorMessage": REASON}
    return {
        **{key: {"jobServiceType": None} | unset | given | failed for key, given in wanted.items()},
        **{
            kind: {"jobServiceType": kind} | unset | {"endpoint": endpoint}
            for kind, endpoint in endpoints.items()
        },
    }


def run_services(resource: Json) -> Json:
    """The services that a job asked for, as run history has them."""
    keys = ("port", "endpoint", "status", "errorMessage", "properties")
    return {
        name: {"type": service["jobServiceType"], **{key: service[key] for key in keys}}
        for name, service in _wanted(resource).items()
    }


def service_instances(resource: Json) -> Json:
    """What became of the services that a job asked for on its one node."""
    problem = {"error": {"code": "NotSupported", "message": REASON}}
    return {
        name: {
            "type": service["jobServiceType"],
            "error": problem,
            **{key: service[key] for key in ("port", "endpoint", "status", "properties")},
        }
        for name, service in _wanted(resource).items()
    }


def _wanted(resource: Json) -> dict[str, Json]:
    services = resource["properties"]["services"]
    return {name: service for name, service in services.items() if name not in _WATCHED}
