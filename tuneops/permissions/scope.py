"""Where roles are given. Pure."""

import re
from enum import StrEnum


class Scope(StrEnum):
    """A place in Azure, by the name that infra/roles.json gives it."""

    SUBSCRIPTION = "subscription"
    RESOURCE_GROUP = "resourceGroup"
    WORKSPACE = "workspace"
    REGISTRY = "registry"
    STORAGE = "storage"
    DATASETS = "datasets"
    PREPARED = "prepared"
    DEAD_LETTERS = "deadLetters"
    WORKSPACE_STORAGE = "workspaceStorage"
    CONTAINER_REGISTRY = "containerRegistry"
    VAULT = "vault"
    INSIGHTS = "insights"
    ENDPOINT_IDENTITY = "endpointIdentity"
    EVENT_TOPIC = "eventTopic"
    FUNCTION_APP = "functionApp"


DESCRIPTIONS = {
    Scope.SUBSCRIPTION: "the subscription",
    Scope.RESOURCE_GROUP: "the resource group",
    Scope.WORKSPACE: "the workspace",
    Scope.REGISTRY: "the registry",
    Scope.STORAGE: "the storage account",
    Scope.DATASETS: "the container for datasets",
    Scope.PREPARED: "the container for prepared data",
    Scope.DEAD_LETTERS: "the container for dead letters",
    Scope.WORKSPACE_STORAGE: "the workspace's storage account",
    Scope.CONTAINER_REGISTRY: "the workspace's container registry",
    Scope.VAULT: "the key vault",
    Scope.INSIGHTS: "Application Insights",
    Scope.ENDPOINT_IDENTITY: "the endpoints' identity",
    Scope.EVENT_TOPIC: "the Event Grid topic",
    Scope.FUNCTION_APP: "the function app",
}

_BEGINNINGS = {
    Scope.SUBSCRIPTION: r"/subscriptions/[^/]+",
    Scope.RESOURCE_GROUP: r"/subscriptions/[^/]+/resourceGroups/[^/]+",
    Scope.WORKSPACE: r".*?/workspaces/[^/]+",
    Scope.REGISTRY: r".*?/registries/[^/]+",
    Scope.STORAGE: r".*?/storageAccounts/[^/]+",
    Scope.ENDPOINT_IDENTITY: r".*?/userAssignedIdentities/[^/]+",
}


def place(scope: Scope, resource: str) -> str:
    """The scope that a resource lies in: its ARM id, or words where the resource does not say."""
    beginning = _BEGINNINGS.get(scope)
    found = re.match(beginning, resource, re.IGNORECASE) if beginning else None
    return found[0] if found else DESCRIPTIONS[scope]
