"""What GitHub lets TuneOps do with a repository."""

from gidgethub.abc import GitHubAPI
from pydantic import BaseModel


class Standing(BaseModel):
    """The permissions of the App's installation, or whether a token may push; None: not told."""

    permissions: dict[str, str] | None = None
    may_push: bool | None = None


class _Repository(BaseModel):
    permissions: dict[str, bool] | None = None


class _Installation(BaseModel):
    permissions: dict[str, str] = {}


async def read(api: GitHubAPI, repository: str, signature: str) -> Standing:
    """What the login may do; the `signature` is an App's.

    Raises:
        gidgethub.GitHubException, httpx2.HTTPError: GitHub could not be asked.
    """
    seen = _Repository.model_validate(await api.getitem(repository))
    if signature:
        answer = await api.getitem(f"{repository}/installation", jwt=signature)
        return Standing(permissions=_Installation.model_validate(answer).permissions)
    return Standing(may_push=(seen.permissions or {}).get("push"))
