"""What TuneOps writes on GitHub: comments, reactions, statuses and deployments."""

from typing import Any
from urllib.parse import urlencode

from gidgethub.abc import GitHubAPI

from tuneops.gitops import comments

TASK = "tuneops"
MAX_DESCRIPTION = 140


async def comment(
    api: GitHubAPI, repository: str, number: int, mark: str, body: str, *, only_update: bool
) -> None:
    """Have one comment on a pull request that begins with `mark`, and let it be `body`."""
    where = f"{repository}/issues/{number}/comments"
    async for known in api.getiter(f"{where}?per_page=100"):
        if str(known["body"] or "").startswith(mark) and not is_outsiders(known):
            if known["body"] != body:
                await api.patch(f"{repository}/issues/comments/{known['id']}", data={"body": body})
            return
    if not only_update:
        await api.post(where, data={"body": body})


async def react(api: GitHubAPI, repository: str, number: int, content: str) -> None:
    """Have a reaction to the comment of this id."""
    await api.post(f"{repository}/issues/comments/{number}/reactions", data={"content": content})


async def status(
    api: GitHubAPI,
    repository: str,
    commit: str,
    *,
    state: str,
    context: str,
    description: str,
    url: str,
) -> None:
    """Set a commit status."""
    body = {"state": state, "context": context, "description": description[:MAX_DESCRIPTION]}
    if url:
        body["target_url"] = url
    await api.post(f"{repository}/statuses/{commit}", data=body)


async def deployment(
    api: GitHubAPI,
    repository: str,
    commit: str,
    environment: str,
    *,
    state: str,
    description: str,
    url: str,
    log_url: str,
) -> None:
    """Let the deployment of a commit to an environment have a status; it is made if absent."""
    deployments = f"{repository}/deployments"
    where = urlencode({"sha": commit, "environment": environment, "task": TASK})
    known = await api.getitem(f"{deployments}?{where}")
    made = known[0] if known else await api.post(deployments, data=_deployment(commit, environment))
    body = {
        "state": state,
        "description": description[:MAX_DESCRIPTION],
        "environment_url": url,
        "log_url": log_url,
    }
    await api.post(f"{deployments}/{made['id']}/statuses", data=body)


def is_outsiders(known: Any) -> bool:
    """Whether a comment is of a person who may not write to the repository."""
    person = (known.get("user") or {}).get("type") != "Bot"
    return person and known.get("author_association") in comments.OUTSIDERS


def _deployment(commit: str, environment: str) -> dict[str, object]:
    """A deployment that GitHub neither merges for nor waits with for statuses."""
    return {
        "ref": commit,
        "environment": environment,
        "task": TASK,
        "auto_merge": False,
        "required_contexts": [],
    }
