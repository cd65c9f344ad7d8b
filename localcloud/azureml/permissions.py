"""What the identity may do: its effective permissions, and refusals of what is not among them.

https://learn.microsoft.com/rest/api/authorization/permissions

It may do everything until `PUT /_admin/permissions` says less, with `{"actions": [...],
"notActions": [...]}`; `DELETE` gives all back. People's tokens are held against the same.
"""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from localcloud.azureml.arm import ArmError, page, user_error
from localcloud.azureml.bodies import read_json
from localcloud.azureml.site import Site
from localcloud.azureml.store import Store

KIND = "permissions"
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
_FREE = ("microsoft.authorization/permissions/read", "microsoft.resourcegraph/resources/action")
"""What everybody may ask; the answer shows what they may see."""

Action = Annotated[str, Field(max_length=300)]


class Granted(BaseModel):
    """The actions that are allowed, with `*` for anything, and those that are taken out again."""

    model_config = ConfigDict(extra="forbid")

    actions: list[Action] = ["*"]
    notActions: list[Action] = []  # noqa: N815

    def allows(self, action: str) -> bool:
        """Whether the action is allowed."""
        taken_out = any(_covers(pattern, action) for pattern in self.notActions)
        return not taken_out and any(_covers(pattern, action) for pattern in self.actions)


class Permissions:
    """The permissions, kept in the store."""

    def __init__(self, site: Site, store: Store) -> None:
        self._site = site
        self._store = store

    def routes(self) -> list[Route]:
        """Routes of the scopes at which they are read."""
        scopes = (self._site.group_path, self._site.workspace_path, self._site.storage_path)
        path = "providers/Microsoft.Authorization/permissions"
        return [Route(f"{scope}/{path}", self.list_permissions) for scope in scopes]

    def admin_routes(self) -> list[Route]:
        """Routes below `/_admin`."""
        return [
            Route("/permissions", self.put, methods=["PUT"]),
            Route("/permissions", self.delete, methods=["DELETE"]),
        ]

    async def list_permissions(self, request: Request) -> Response:
        """What the caller may do; nothing is an empty list."""
        granted = self._granted()
        entry = {**granted.model_dump(), "dataActions": [], "notDataActions": []}
        return page(request, [entry] if granted.actions else [], self._site.url)

    async def put(self, request: Request) -> Response:
        """Say what the identity may do from now on."""
        try:
            granted = Granted.model_validate(await read_json(request))
        except ValidationError as error:
            raise user_error(str(error)) from error
        self._store.put(KIND, KIND, granted.model_dump())
        return Response(status_code=204)

    async def delete(self, request: Request) -> Response:
        """Let it do everything again."""
        self._store.delete(KIND, KIND)
        return Response(status_code=204)

    def check(self, request: Request, caller: str) -> None:
        """Let a call through that the permissions cover; the registry is another matter.

        Raises:
            ArmError: 403 `AuthorizationFailed`, which names the action and the scope.
        """
        path = request.scope["path"]
        action = action_of(request.method, path)
        elsewhere = not action or "/registries/" in path or action.lower() in _FREE
        if elsewhere or self._granted().allows(action):
            return
        raise ArmError(
            403,
            "AuthorizationFailed",
            f"The client '{caller}' with object id '{caller}' does not have authorization to "
            f"perform action '{action}' over scope '{path}' or the scope is invalid. If access was "
            "recently granted, please refresh your credentials.",
        )

    def _granted(self) -> Granted:
        return Granted.model_validate(self._store.get(KIND, KIND) or {})


def action_of(method: str, path: str) -> str:
    """What a call does, as roles name it; empty for what is not below a provider.

    `GET .../workspaces/W/jobs/J` is `Microsoft.MachineLearningServices/workspaces/jobs/read`, a
    `POST` is an action of its last word.
    """
    _, found, rest = path.rpartition("/providers/")
    namespace, *parts = rest.strip("/").split("/")
    if not found or not parts:
        return ""
    words = parts[::2]
    if method == "POST":
        return "/".join((namespace, *words, "action"))
    return "/".join((namespace, *words, _VERBS.get(method, "read")))


def _covers(pattern: str, action: str) -> bool:
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(expression, action, re.IGNORECASE) is not None
