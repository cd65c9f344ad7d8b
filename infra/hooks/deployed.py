"""What azd says in the environment of a hook."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from infra.hooks.problems import HookError


@dataclass(frozen=True)
class Deployed:
    """What was provisioned: outputs of main.bicep."""

    location: str
    resource_group: str
    app_name: str
    app_id: str
    url: str
    vault: str
    vault_settings: tuple[str, ...]
    storage_id: str
    storage_topic_id: str
    workspace_topic_id: str
    datasets_container: str
    dead_letter_container: str

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> "Deployed":
        """The outputs that azd has kept.

        Raises:
            HookError: nothing was provisioned yet.
        """
        missing = [name for name in OUTPUTS.values() if not environ.get(name)]
        if missing:
            raise HookError(f"azd does not know {', '.join(missing)}: run azd provision first")
        found = {field: environ[name] for field, name in OUTPUTS.items()}
        settings = found.pop("vault_settings")
        return cls(**found, vault_settings=tuple(split(settings)))


OUTPUTS = {
    "location": "AZURE_LOCATION",
    "resource_group": "AZURE_RESOURCE_GROUP",
    "app_name": "INFRA_APP_NAME",
    "app_id": "INFRA_APP_ID",
    "url": "TUNEOPS_URL",
    "vault": "INFRA_VAULT_NAME",
    "vault_settings": "INFRA_VAULT_SETTINGS",
    "storage_id": "INFRA_STORAGE_ACCOUNT_ID",
    "storage_topic_id": "INFRA_STORAGE_TOPIC_ID",
    "workspace_topic_id": "INFRA_WORKSPACE_TOPIC_ID",
    "datasets_container": "TUNEOPS_DATASETS_CONTAINER",
    "dead_letter_container": "INFRA_DEAD_LETTER_CONTAINER",
}
"""Which output each field is; a test holds them against main.bicep."""


def split(text: str) -> list[str]:
    """What stands between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]
