"""Where a message leads to. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from tuneops.message import Message
from tuneops.release import Release

_PUBLIC_API = "https://api.github.com"
_PUBLIC = "https://github.com"
_ENTERPRISE_API = "/api/v3"
_KNOWN = ("job", "endpoint", "report")


@dataclass(frozen=True)
class Places:
    """Where people look: TuneOps's own page, and the repository; empty where there is none."""

    page: str = ""
    repository: str = ""


def places(page_url: str, github_api_url: str, repository: str) -> Places:
    """The places by the settings; a repository whose API is not where GitHub has it has no page."""
    api, web = github_api_url.rstrip("/"), ""
    if api == _PUBLIC_API:
        web = _PUBLIC
    elif api.endswith(_ENTERPRISE_API):
        web = api.removesuffix(_ENTERPRISE_API)
    return Places(page_url.rstrip("/"), f"{web}/{repository}" if web else "")


def of_release(release: Release) -> dict[str, str]:
    """The pages that a release has: its newest job, its endpoint, its data's report."""
    known = {name: url for entry in release.history for name, url in entry.links.items()}
    return {name: known[name] for name in _KNOWN if known.get(name)}


def linked(message: Message, where: Places) -> Message:
    """The message with the pages that its release and its commit have there, the first ones first.

    A message that has them stays as it is, so this may be done again.
    """
    more: dict[str, str] = {}
    if where.page:
        more["page"] = f"{where.page}{_path(message)}"
    if where.repository and message.commit:
        more["commit"] = f"{where.repository}/commit/{message.commit}"
    page = {"page": more["page"]} if "page" in more else {}
    return message.replace(links={**page, **message.links, **more})


def first(links: Mapping[str, str]) -> str:
    """The page that tells most; a commit's own is none for what is shown beside the commit."""
    return next((url for name, url in links.items() if name != "commit"), "")


def _path(message: Message) -> str:
    if not message.project:
        return "/"
    project = f"/projects/{message.project}"
    return project if message.release is None else f"{project}/releases/{message.release}"
