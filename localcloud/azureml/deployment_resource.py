"""A deployment's resource: what a PUT may ask for, with the service's defaults and limits."""

from localcloud.azureml.arm import PROVIDER, Json, system_data, user_error
from localcloud.azureml.assets import Assets
from localcloud.azureml.bodies import duration, section, string_map, text, whole_number
from localcloud.azureml.vm_sizes import find_size

MAX_INSTANCES, MAX_TIMEOUT_SECONDS = 50, 180
DEFAULT_TIMEOUT, DEFAULT_QUEUE_WAIT = "PT5S", "PT0.5S"
PROBE = {
    "initialDelay": "PT10S",
    "period": "PT10S",
    "timeout": "PT2S",
    "successThreshold": 1,
    "failureThreshold": 30,
}


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
    return {
        "description": properties.get("description"),
        "properties": string_map(properties, "properties"),
        "codeConfiguration": properties.get("codeConfiguration"),
        "environmentId": properties.get("environmentId"),
        "environmentVariables": string_map(properties, "environmentVariables"),
        "scaleSettings": properties.get("scaleSettings") or {"scaleType": "Default"},
        "requestSettings": _request_settings(section(properties, "requestSettings")),
        "modelMountPath": properties.get("modelMountPath"),
        "appInsightsEnabled": bool(properties.get("appInsightsEnabled", False)),
        "livenessProbe": PROBE | section(properties, "livenessProbe"),
        "readinessProbe": PROBE | section(properties, "readinessProbe"),
        "instanceType": _instance_type(properties),
        "model": _model(properties, assets),
        "egressPublicNetworkAccess": text(properties, "egressPublicNetworkAccess", "Enabled"),
        "dataCollector": properties.get("dataCollector"),
        "endpointComputeType": "Managed",
    }


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


def _request_settings(requests: Json) -> Json:
    concurrent = whole_number(requests, "maxConcurrentRequestsPerInstance", 1, 1, 1000)
    return {
        "maxQueueWait": requests.get("maxQueueWait") or DEFAULT_QUEUE_WAIT,
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
