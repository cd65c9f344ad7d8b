"""Before anything is provisioned: what would fail later is said now, all of it at once."""

import os
import re
from collections.abc import Iterator, Mapping

from infra.hooks.az import AzError, az
from infra.hooks.deployed import split
from infra.hooks.problems import HookError, run, say
from infra.hooks.vault import given

PROVIDERS = (
    "Microsoft.ContainerRegistry",
    "Microsoft.EventGrid",
    "Microsoft.Insights",
    "Microsoft.KeyVault",
    "Microsoft.MachineLearningServices",
    "Microsoft.ManagedIdentity",
    "Microsoft.OperationalInsights",
    "Microsoft.Storage",
    "Microsoft.Web",
)
OF_PRIVATE_NETWORKS = ("Microsoft.App", "Microsoft.Network")
EXISTING = {
    "INFRA_EXISTING_WORKSPACE_ID": "Microsoft.MachineLearningServices/workspaces",
    "INFRA_EXISTING_STORAGE_ACCOUNT_ID": "Microsoft.Storage/storageAccounts",
    "INFRA_EXISTING_KEY_VAULT_ID": "Microsoft.KeyVault/vaults",
    "INFRA_EXISTING_LOG_ANALYTICS_ID": "Microsoft.OperationalInsights/workspaces",
}
_SECRET_SETTING = re.compile(r"TUNEOPS_[A-Z0-9_]+|HF_TOKEN")


def check() -> None:
    """Look at the settings, at the login and at the subscription.

    Raises:
        HookError: something is missing or wrong; the message has all of it.
    """
    problems = [*of_settings(os.environ), *_of_subscription(os.environ)]
    if problems:
        raise HookError("\n".join(f"- {problem}" for problem in problems))
    say("TuneOps: settings, login and subscription are as they should be.")


def of_settings(environ: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with what azd env has."""
    more = split(environ.get("INFRA_MORE_VAULT_SETTINGS", ""))
    repository = environ.get("TUNEOPS_GITHUB_REPOSITORY", "")
    if "TUNEOPS_SOURCES" in more and repository:
        yield "TUNEOPS_SOURCES stands beside TUNEOPS_GITHUB_REPOSITORY: leave one of them out"
    elif "TUNEOPS_SOURCES" not in more and not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        yield "which repository holds configs: azd env set TUNEOPS_GITHUB_REPOSITORY OWNER/NAME"
    app = environ.get("TUNEOPS_GITHUB_APP_ID")
    secret = "TUNEOPS_GITHUB_APP_PRIVATE_KEY" if app else "TUNEOPS_GITHUB_TOKEN"
    provisioned = bool(environ.get("INFRA_VAULT_NAME"))
    for name in dict.fromkeys((secret, *more)):
        if not _SECRET_SETTING.fullmatch(name):
            yield f"INFRA_MORE_VAULT_SETTINGS: {name!r} is no name of a setting, as TUNEOPS_..."
        elif not provisioned:
            yield from _missing(name, environ)
    for name, kind in EXISTING.items():
        pattern = rf"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/{kind}/[^/]+"
        if environ.get(name) and not re.fullmatch(pattern, environ[name], re.IGNORECASE):
            yield f"{name} is no id of {kind}: az resource show prints it as id"


def _missing(name: str, environ: Mapping[str, str]) -> Iterator[str]:
    try:
        if given(name, environ) is None:
            yield f"{name} is nowhere: azd env set {name}_FILE PATH, to a file that holds it"
    except HookError as error:
        yield str(error)


def _of_subscription(environ: Mapping[str, str]) -> Iterator[str]:
    """Whether the Azure CLI is signed in to the subscription, and what of it is not registered."""
    query = "[].{name: namespace, state: registrationState}"
    try:
        known = {each["name"]: each["state"] for each in az("provider", "list", "--query", query)}
    except AzError as error:
        yield f"{error}: az login, with an account that sees the subscription of azd"
        return
    private = environ.get("INFRA_PRIVATE_NETWORKING", "").lower() == "true"
    for name in (*PROVIDERS, *(OF_PRIVATE_NETWORKS if private else ())):
        if known.get(name) != "Registered":
            yield f"{name} is not registered: az provider register --wait --namespace {name}"


if __name__ == "__main__":
    run(check)
