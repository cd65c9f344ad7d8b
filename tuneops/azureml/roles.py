"""Which role is missing, from what Azure says when it refuses an action. Pure."""

import re

_ACTION = re.compile(r"perform action '(?P<action>[^']+)'")
_SCOPE = re.compile(r"over scope '(?P<scope>[^']+)'")

_ROLES: tuple[tuple[str, str], ...] = (
    (r"microsoft\.machinelearningservices/registries/", "AzureML Registry User"),
    (r"microsoft\.machinelearningservices/locations/", "Reader"),
    (
        r"microsoft\.machinelearningservices/workspaces/computes/(?!.*read$)",
        "AzureML Compute Operator",
    ),
    (r"microsoft\.insights/metrics/", "Monitoring Reader"),
    (r"microsoft\.managedidentity/", "Managed Identity Operator"),
    (r"microsoft\.storage/.*/blobservices/", "Storage Blob Data Contributor"),
    (r"microsoft\.storage/.*/queueservices/", "Storage Queue Data Contributor"),
    (r"microsoft\.machinelearningservices/workspaces/", "AzureML Data Scientist"),
)
"""By the action that was refused, the least built-in role that allows it.

See learn.microsoft.com/azure/machine-learning/how-to-assign-roles.
"""


def advice(message: str, otherwise: str = "") -> str:
    """What to grant where, as far as Azure's message says it, or `otherwise`."""
    action, scope = _ACTION.search(message), _SCOPE.search(message)
    if action is None:
        if otherwise:
            return f"grant TuneOps's identity {otherwise}"
        return (
            "grant TuneOps's identity the role AzureML Data Scientist on the workspace and AzureML "
            "Registry User on the registry, or see that their networks let it in"
        )
    name = action["action"].lower()
    role = next((role for pattern, role in _ROLES if re.match(pattern, name)), None)
    granted = f"the role {role}" if role else f"a role with {action['action']}"
    where = f" on {scope['scope']}" if scope else ""
    return f"grant TuneOps's identity {granted}{where}"
