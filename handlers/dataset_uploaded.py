"""A blob was created in the datasets container: the projects that train on it are looked at."""

from urllib.parse import urlsplit

from tuneops import documents
from tuneops.data import upload
from tuneops.events.taking import Weighed, take
from tuneops.gathering import MANY
from tuneops.gitops.repository import Repository
from tuneops.previews.reading import read_register
from tuneops.queue import ProjectRequest
from tuneops.services import Services
from tuneops.storage_refusal import refusals_explained

COMPLETE = frozenset({"PutBlob", "PutBlockList", "CopyBlob", "FlushWithClose"})
"""What Storage says of an upload that is whole; others announce a blob that is still empty."""


@refusals_explained()
def handle(
    identifier: str, event_type: str, subject: str, data: object, services: Services
) -> list[str]:
    """The projects that were put on the queue; `identifier` is Event Grid's of the event.

    A blob that is nobody's training data has no effect: if a config names its folder later, the
    blob is found then.
    """
    weighed = _weigh(event_type, subject, data, services)
    take(weighed, identifier, "storage", event_type, services)
    return weighed.projects


def _weigh(event_type: str, subject: str, data: object, services: Services) -> Weighed:
    prefix = f"/blobServices/default/containers/{services.settings.datasets_container}/blobs/"
    api = data.get("api") if isinstance(data, dict) else None
    if event_type != "Microsoft.Storage.BlobCreated" or not subject.startswith(prefix):
        return Weighed("ignored", "it is about nothing in the datasets' container", subject)
    blob = subject.removeprefix(prefix)
    if _is_elsewhere(data, services.blobs.account_name):
        return Weighed("refused", "it is about another storage account", blob)
    if api not in COMPLETE or not upload.may_be_data(blob):
        return Weighed("ignored", f"it is no finished data file ({api!r})", blob)
    projects = _projects(blob, services)
    if not projects:
        return Weighed("ignored", "it is no project's data", blob)
    if len(projects) > MANY:
        why = f"it is data of {len(projects)} projects"
        return Weighed("taken", why, blob, gathered=tuple(projects))
    requests = tuple(ProjectRequest(project=project) for project in projects)
    return Weighed("taken", f"it is data of {', '.join(projects)}", blob, requests)


def _is_elsewhere(data: object, account: str | None) -> bool:
    """Whether the event names a blob of another account; its address is read for nothing else.

    An account's own name begins the host, or the path where the host is an address.
    """
    url = data.get("url") if isinstance(data, dict) else None
    if not isinstance(url, str) or not account:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return True
    return account not in (parts.netloc.partition(".")[0], parts.path[1:].partition("/")[0])


def _projects(blob: str, services: Services) -> list[str]:
    """The projects, and the previews, that train on the blob."""
    sources = services.settings.config_sources
    paths = (documents.repository(source.environment) for source in sources)
    read = (services.prompt_store.read_kept(path, Repository) for path in paths)
    projects = sorted(p for stored in read if stored for p in stored.value.projects_with_data(blob))
    for source in sources:
        projects += sorted(read_register(services.prompt_store, source.environment).with_data(blob))
    return projects
