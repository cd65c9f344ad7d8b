"""What the identity may do: its effective permissions, and refusals of what is not among them.

https://learn.microsoft.com/rest/api/authorization/permissions

It may do everything until `PUT /_admin/permissions` says less, with one grant, or with several that
have scopes: `{"grants": [{"scope": "/subscriptions/...", "actions": [...], "notActions": [...],
"dataActions": [...]}]}`. `DELETE` gives all back. `GET /_admin/calls` says what it has done.
"""

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import ArmError, page, user_error
from localcloud.azureml.bodies import read_json
from localcloud.azureml.grants import Grant, Grants
from localcloud.azureml.site import Site

_REGISTRIES = "/mferp/managementfrontend"
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
_FREE = "microsoft.authorization/permissions/read"
_GRAPH = "Microsoft.ResourceGraph/resources/action"
"""Everybody may ask these; the answer shows what they may see."""


class _Several(BaseModel):
    model_config = ConfigDict(extra="forbid")

    grants: list[Grant] = Field(max_length=100)


class Permissions:
    """The routes, and the check of calls to Azure Resource Manager."""

    def __init__(self, site: Site, grants: Grants, identity: str) -> None:
        self._site = site
        self._grants = grants
        self._identity = identity

    def routes(self) -> list[Route]:
        """Routes of the scopes at which they are read."""
        site = self._site
        scopes = (site.subscription_path, site.group_path, site.workspace_path, site.storage_path)
        path = "providers/Microsoft.Authorization/permissions"
        return [Route(f"{scope}/{path}", self.list_permissions) for scope in scopes]

    def admin_routes(self) -> list[Route]:
        """Routes below `/_admin`."""
        return [
            Route("/permissions", self.put, methods=["PUT"]),
            Route("/permissions", self.delete, methods=["DELETE"]),
            Route("/calls", self.list_calls),
        ]

    async def list_permissions(self, request: Request) -> Response:
        """What the caller may do; nothing is an empty list."""
        scope = request.url.path.partition("/providers/Microsoft.Authorization/")[0]
        fields = {"actions", "notActions", "dataActions", "notDataActions"}
        granted = [each for each in self._grants.at(scope) if each.actions]
        entries = [each.model_dump(include=fields) for each in granted]
        return page(request, entries, self._site.url)

    async def put(self, request: Request) -> Response:
        """Say what the identity may do from now on."""
        body = await read_json(request)
        try:
            several = "grants" in body
            grants = _Several(**body).grants if several else [Grant.model_validate(body)]
        except ValidationError as error:
            raise user_error(str(error)) from error
        self._grants.put(grants)
        return Response(status_code=204)

    async def delete(self, request: Request) -> Response:
        """Let it do everything again."""
        self._grants.clear()
        return Response(status_code=204)

    async def list_calls(self, request: Request) -> Response:
        """What the app's identity has done since the workspace was made."""
        noted = {"actions": self._grants.noted(data=False)}
        return JSONResponse(noted | {"dataActions": self._grants.noted(data=True)})

    def check(self, request: Request, caller: str) -> None:
        """Let a call through that the grants cover.

        Raises:
            ArmError: 403 `AuthorizationFailed`, which names the action and the scope.
        """
        path = request.scope["path"].removeprefix(_REGISTRIES)
        self.check_action(action_of(request.method, path), path, caller)

    def check_action(self, action: str, path: str, caller: str) -> None:
        """Let an action at a resource through that the grants cover.

        Raises:
            ArmError: 403 `AuthorizationFailed`, which names the action and the scope.
        """
        if not action or action == _GRAPH:
            return
        if caller == self._identity:
            self._grants.note(action)
        if action.lower() == _FREE or self._grants.allow(action, path):
            return
        raise ArmError(
            403,
            "AuthorizationFailed",
            f"The client '{caller}' with object id '{caller}' does not have authorization to "
            f"perform action '{action}' over scope '{path}' or the scope is invalid. If access was "
            "recently granted, please refresh your credentials.",
        )


def action_of(method: str, path: str) -> str:
    """What a call does, as roles name it; empty for what is not below a provider.

    `GET .../workspaces/W/jobs/J` is `Microsoft.MachineLearningServices/workspaces/jobs/read`, a
    `POST` is an action of its last word. What registries hold are assets.
    """
    _, found, rest = path.rpartition("/providers/")
    namespace, *parts = rest.strip("/").split("/")
    if not found or not parts:
        return ""
    words = parts[::2]
    if words[0] == "registries" and len(words) > 1:
        words = ["registries", "assets"]
    if method == "POST":
        return "/".join((namespace, *words, "action"))
    return "/".join((namespace, *words, _VERBS.get(method, "read")))
