"""An endpoint's resource: what a PUT may ask for, with the service's defaults and limits."""

from collections.abc import Sequence

from localcloud.azureml.arm import PROVIDER, Json, system_data, user_error
from localcloud.azureml.bodies import choice, optional_text, section, string_map
from localcloud.azureml.site import Site
from localcloud.azureml.traffic import check_mirror_traffic, check_traffic

AUTH_MODES = ("Key", "AMLToken", "AADToken")
ACCESS = ("Enabled", "Disabled")
SYSTEM, USER = "SystemAssigned", "UserAssigned"
IDENTITY_TYPES = (SYSTEM, USER, f"{SYSTEM},{USER}", "None")
UNSET: Json = {"scoringUri": None, "swaggerUri": None, "properties": {}}


def endpoint_resource(
    site: Site, name: str, body: Json, deployments: Sequence[Json], caller: str, before: Json | None
) -> Json:
    """The resource that a PUT of an endpoint asks for, without its provisioning state.

    Raises:
        ArmError: 400 for something that the service would not take.
    """
    properties = section(body, "properties")
    mode = choice(properties, "authMode", AUTH_MODES)
    traffic = check_traffic(section(properties, "traffic"), deployments)
    mirror = check_mirror_traffic(section(properties, "mirrorTraffic"), traffic, deployments)
    current = before["properties"] if before else UNSET
    identifier = f"{site.workspace_path}/onlineEndpoints/{name}"
    return {
        "id": identifier,
        "name": name,
        "type": f"{PROVIDER}/workspaces/onlineEndpoints",
        "location": site.connection.location,
        "kind": "Managed",
        "tags": string_map(body, "tags"),
        "identity": _identity(site, name, section(body, "identity"), before),
        "properties": {
            "description": optional_text(properties, "description"),
            "properties": {
                **current["properties"],
                **string_map(properties, "properties"),
                "azureml.onlineendpointid": identifier.lower(),
            },
            "scoringUri": current["scoringUri"],
            "swaggerUri": current["swaggerUri"],
            "authMode": mode,
            "compute": None,
            "traffic": traffic,
            "mirrorTraffic": mirror,
            "publicNetworkAccess": choice(properties, "publicNetworkAccess", ACCESS, ACCESS[0]),
        },
        "systemData": system_data(caller, before["systemData"] if before else None),
    }


def _identity(site: Site, name: str, given: Json, before: Json | None) -> Json:
    """The identity that the endpoint's containers run with; it never changes.

    https://learn.microsoft.com/azure/machine-learning/how-to-access-resources-from-endpoints-managed-identities
    """
    if before is not None and not given:
        return dict(before["identity"])
    kind = choice(given, "type", IDENTITY_TYPES, SYSTEM)
    identity: Json = {"type": kind}
    if SYSTEM in kind:
        identity["principalId"] = site.guid("onlineEndpoints", name)
        identity["tenantId"] = site.connection.tenant_id
    if USER in kind:
        identity["userAssignedIdentities"] = _user_assigned(site, given)
    if before is not None and _essence(identity) != _essence(before["identity"]):
        raise user_error("The identity of an endpoint cannot be changed.", target="identity")
    return identity


def _user_assigned(site: Site, given: Json) -> Json:
    resources = section(given, "userAssignedIdentities")
    if not resources:
        message = f"An identity of type {USER} needs 'userAssignedIdentities'."
        raise user_error(message, target="identity")
    return {
        resource: {
            "principalId": site.guid("principals", resource.lower()),
            "clientId": site.guid("clients", resource.lower()),
        }
        for resource in resources
    }


def _essence(identity: Json) -> tuple[str, set[str]]:
    assigned = identity.get("userAssignedIdentities") or {}
    return identity["type"], {resource.lower() for resource in assigned}
