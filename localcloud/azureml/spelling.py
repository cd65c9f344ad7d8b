"""Paths of Azure Resource Manager: their fixed words count whatever their case."""

from starlette.types import ASGIApp, Receive, Scope, Send

NAMESPACE, INSIGHTS = "Microsoft.MachineLearningServices", "Microsoft.Insights"
OTHERS = ("Microsoft.Authorization", "Microsoft.EventGrid", "Microsoft.Storage")
_WORDS = {
    word.lower(): word
    for word in (
        "Microsoft.Insights",
        "subscriptions",
        "resourceGroups",
        "providers",
        NAMESPACE,
        INSIGHTS,
        *OTHERS,
        "permissions",
        "eventSubscriptions",
        "systemTopics",
        "storageAccounts",
        "metrics",
        "autoscalesettings",
        "workspaces",
        "registries",
        "locations",
        "usages",
        "vmSizes",
        "computes",
        "listNodes",
        "jobs",
        "cancel",
        "models",
        "components",
        "data",
        "codes",
        "environments",
        "versions",
        "datastores",
        "listSecrets",
        "onlineEndpoints",
        "deployments",
        "listKeys",
        "regenerateKeys",
        "token",
        "getLogs",
        "mfeOperationResults",
        "mfeOperationsStatus",
    )
}


def spelled(path: str) -> str:
    """The path with its fixed words as the routes spell them; names stay as they are.

    Words and names take turns, but two words follow ``providers``: a namespace and a type.
    """
    first, *parts = path.split("/")
    is_word = True
    for place, part in enumerate(parts):
        if is_word:
            parts[place] = _WORDS.get(part.lower(), part)
        is_word = not is_word or parts[place] in ("providers", NAMESPACE, INSIGHTS, *OTHERS)
    return "/".join((first, *parts))


class Spelling:
    """ASGI middleware that lets callers spell a resource's path in any case."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the path as the routes know it."""
        if scope["type"] == "http" and scope["path"].lower().startswith("/subscriptions/"):
            scope = {**scope, "path": spelled(scope["path"])}
        await self._app(scope, receive, send)
