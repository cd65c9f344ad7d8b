"""After provisioning: the vault gets the secrets that app settings refer to."""

import os

from infra.hooks.az import az
from infra.hooks.deployed import Deployed
from infra.hooks.problems import run, say
from infra.hooks.vault import Vault, store

REFRESH = "config/configreferences/appsettings/refresh?api-version=2022-03-01"


def keep_secrets() -> None:
    """Store what is new, and have the app read its references again.

    Raises:
        HookError: a secret is missing, or the vault can't be used.
    """
    deployed = Deployed.read()
    vault = Vault(deployed.vault)
    for setting in deployed.vault_settings:
        say(f"TuneOps: secret of {setting}: {store(vault, setting, os.environ)}")
    read_references(deployed)


def read_references(deployed: Deployed) -> None:
    """Have the app read what its settings refer to; by itself it does so once a day.

    Raises:
        AzError: Azure refuses.
    """
    az("rest", "--method", "post", "--url", f"{deployed.app_id}/{REFRESH}")


if __name__ == "__main__":
    run(keep_secrets)
