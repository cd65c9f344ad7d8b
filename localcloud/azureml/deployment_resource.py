"""A deployment's resource: what a PUT may ask for, with the service's defaults and limits."""

from localcloud.azureml.arm import PROVIDER, Json, system_data, user_error
from localcloud.azureml.assets import Assets
from localcloud.azureml.bodies import (
    choice,
    duration,
    flag,
    optional_text,
    section,
    string_map,
    text,
    whole_number,
)
from localcloud.azureml.endpoint_resource import ACCESS
from localcloud.azureml.vm_sizes import find_size

MAX_INSTANCES, MAX_TIMEOUT_SECONDS = 50, 180
DEFAULT_TIMEOUT, DEFAULT_QUEUE_WAIT = "PT5S", "PT0.5S"
PROBE_DURATIONS = {"initialDelay": "PT10S", "period": "PT10S", "timeout": "PT2S"}
PROBE_COUNTS = {"successThreshold": 1, "failureThreshold": 30}
MAX_PROBE_COUNT = 2**31 - 1
PRIVATE = "private-network-connection"


def deployment_resource(
    endpoint: Json, name: str, body: Json, assets: Assets, caller: str, before: Json | None
) -> Json:
    """The resource that a PUT of a deployment asks for, without its provisioning state.

    Raises:
        ArmError: 400 or 404 for something that the service would not take.
    """
    return {
        "id": f"{endpoint['id']}/deployments/{name}",
        "name": name,
        "type": f"{PROVIDER}/workspaces/onlineEndpoints/deployments",
        "location": endpoint["location"],
        "kind": "Managed",
        "tags": string_map(body, "tags"),
        "sku": {
            "name": "Default",
            "tier": "Standard",
            "capacity": whole_number(section(body, "sku"), "capacity", 1, 1, MAX_INSTANCES),
        },
        "properties": _properties(section(body, "properties"), assets),
        "systemData": system_data(caller, before["systemData"] if before else None),
    }


def _properties(properties: Json, assets: Assets) -> Json:
    if properties.get("endpointComputeType", "Managed") != "Managed":
        raise user_error("The local cloud has managed deployments only.")
    own = section(properties, "properties")
    return {
        "description": optional_text(properties, "description"),
        "properties": string_map({"properties": _texts(own)}, "properties"),
        "codeConfiguration": section(properties, "codeConfiguration") or None,
        "environmentId": optional_text(properties, "environmentId"),
        "environmentVariables": _variables(properties),
        "scaleSettings": _scale_settings(section(properties, "scaleSettings")),
        "requestSettings": _request_settings(section(properties, "requestSettings")),
        "modelMountPath": optional_text(properties, "modelMountPath"),
        "appInsightsEnabled": flag(properties, "appInsightsEnabled"),
        "livenessProbe": _probe(section(properties, "livenessProbe")),
        "readinessProbe": _probe(section(properties, "readinessProbe")),
        "instanceType": _instance_type(properties),
        "model": _model(properties, assets),
        "privateNetworkConnection": flag(properties, "privateNetworkConnection")
        or flag(own, PRIVATE),
        "egressPublicNetworkAccess": choice(
            properties, "egressPublicNetworkAccess", ACCESS, ACCESS[0]
        ),
        "dataCollector": section(properties, "dataCollector") or None,
        "endpointComputeType": "Managed",
    }


def _texts(own: Json) -> Json:
    """A deployment's own properties; the SDK sends the one that `PRIVATE` names as a boolean."""
    return {k: str(v).lower() if isinstance(v, bool) else v for k, v in own.items()}


def _instance_type(properties: Json) -> str:
    size = text(properties, "instanceType")
    if find_size(size) is None:
        raise user_error(f"The instance type '{size}' is not known.", target="instanceType")
    return size


def _model(properties: Json, assets: Assets) -> str:
    """The model's id, once it is sure that it leads somewhere."""
    model = text(properties, "model")
    assets.local_path(model)
    return model


def _variables(properties: Json) -> dict[str, str]:
    variables = string_map(properties, "environmentVariables")
    for name, value in variables.items():
        if not name or "=" in name or "\0" in name + value:
            message = f"'{name}' is no environment variable that a process can have."
            raise user_error(message, target="environmentVariables")
    return variables


def _scale_settings(scale: Json) -> Json:
    """A managed deployment has as many instances as its `sku` says, and no other scale type."""
    return {"scaleType": choice(scale, "scaleType", ("Default",), "Default")}


def _probe(probe: Json) -> Json:
    durations = {name: _duration(probe, name, usual) for name, usual in PROBE_DURATIONS.items()}
    counts = {
        name: whole_number(probe, name, usual, 1, MAX_PROBE_COUNT)
        for name, usual in PROBE_COUNTS.items()
    }
    return durations | counts


def _duration(body: Json, name: str, default: str) -> str:
    """A duration as it was written, once it is sure that it is one."""
    duration(body, name, default)
    return text(body, name, default)


def _request_settings(requests: Json) -> Json:
    concurrent = whole_number(requests, "maxConcurrentRequestsPerInstance", 1, 1, 1000)
    return {
        "maxQueueWait": _duration(requests, "maxQueueWait", DEFAULT_QUEUE_WAIT),
        "requestTimeout": _request_timeout(requests),
        "maxConcurrentRequestsPerInstance": concurrent,
    }


def _request_timeout(requests: Json) -> str:
    seconds = duration(requests, "requestTimeout", DEFAULT_TIMEOUT).total_seconds()
    if not 0 < seconds <= MAX_TIMEOUT_SECONDS:
        raise user_error(
            f"requestTimeout must be at most {MAX_TIMEOUT_SECONDS} s.", target="requestTimeout"
        )
    return text(requests, "requestTimeout", DEFAULT_TIMEOUT)
