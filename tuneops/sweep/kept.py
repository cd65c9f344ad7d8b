"""What takes only storage and is kept when nothing needs it any more: models and data.

A later release may come back to it: a revert finds its model, equal rows are not prepared anew.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator

from pydantic import BaseModel

from tuneops import documents, names
from tuneops.azureml import tagged
from tuneops.data.split import PARTS
from tuneops.desired import Desired
from tuneops.project import Project
from tuneops.services import Services
from tuneops.store import UnreadableError


class Kept(BaseModel):
    """What is kept of a project: assets if git has it no more, prepared data of no release."""

    project: str
    models: list[str] = []
    data: list[str] = []
    prepared_folders: int = 0
    prepared_bytes: int = 0


def kept(services: Services, projects: Collection[str]) -> list[Kept]:
    """What is kept of these projects in the environment's workspace and storage account.

    Raises:
        RefusedError, UnavailableError: the workspace can't be asked now.
    """
    models, data = tagged.asset_names(services.workspace)
    folders = _prepared(services, projects)
    found = [
        _of(project, _family(project, projects), services, models, data, folders[project])
        for project in sorted(projects)
        if not names.is_preview(project)
    ]
    return [each for each in found if each.models or each.data or each.prepared_folders]


def _family(project: str, projects: Collection[str]) -> list[str]:
    """The project and its previews, which use its data."""
    return [each for each in projects if names.family(each) == project]


def _of(
    project: str,
    family: Collection[str],
    services: Services,
    models: Collection[str],
    data: Collection[str],
    folders: dict[str, int],
) -> Kept:
    try:
        desired = services.store.read(documents.desired(project), Desired)
        used = {folder for each in family for folder in _used(each, services)}
    except UnreadableError:
        return Kept(project=project)
    gone = desired is None or desired.value.config is None
    asset = names.asset_name(project)
    unused = {folder: size for folder, size in folders.items() if folder not in used}
    return Kept(
        project=project,
        models=[asset] if gone and asset in models else [],
        data=[f"{asset}-{part}" for part in PARTS if gone and f"{asset}-{part}" in data],
        prepared_folders=len(unused),
        prepared_bytes=sum(unused.values()),
    )


def _used(project: str, services: Services) -> Iterator[str]:
    """The folders with data of the newest release and of the live one."""
    stored = services.store.read(documents.project(project), Project)
    known = stored.value if stored else Project(name=project)
    for number in {known.current, known.live}:
        release = services.release(project, number)
        if release and release.value.data:
            yield release.value.data.folder
            for path in release.value.data.files.values():
                yield path.rpartition("/")[0]


def _prepared(services: Services, projects: Collection[str]) -> dict[str, dict[str, int]]:
    """The bytes in each folder of prepared data, by project."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    container = services.blobs.get_container_client(services.settings.prepared_container)
    for blob in container.list_blobs():
        project, _, rest = blob.name.partition("/")
        if project in projects and "/" in rest:
            found[project][f"{project}/{rest.partition('/')[0]}"] += blob.size or 0
    return found
