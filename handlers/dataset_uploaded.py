"""A blob was created in the datasets container: the projects that train on it are looked at."""

import logging
from datetime import UTC, datetime

from tuneops import documents
from tuneops.data import upload
from tuneops.gathering import look_at
from tuneops.gitops.repository import Repository
from tuneops.previews.keeping import read_register
from tuneops.services import Services

COMPLETE = frozenset({"PutBlob", "PutBlockList", "CopyBlob", "FlushWithClose"})
"""What Storage says of an upload that is whole; others announce a blob that is still empty."""

log = logging.getLogger(__name__)


def handle(event_type: str, subject: str, data: object, services: Services) -> list[str]:
    """The projects that are looked at for it.

    A blob that is nobody's training data has no effect: if a config names its folder later, the
    blob is found then.
    """
    prefix = f"/blobServices/default/containers/{services.settings.datasets_container}/blobs/"
    api = data.get("api") if isinstance(data, dict) else None
    if event_type != "Microsoft.Storage.BlobCreated" or not subject.startswith(prefix):
        log.info("ignored event %r of %r", event_type, subject[:300])
        return []
    blob = subject.removeprefix(prefix)
    if api not in COMPLETE or not upload.may_be_data(blob):
        log.info("ignored blob %r (%r): it is no finished data file", blob[:300], api)
        return []
    sources = services.settings.config_sources
    paths = (documents.repository(source.environment) for source in sources)
    read = (services.store.read(path, Repository) for path in paths)
    projects = sorted(p for stored in read if stored for p in stored.value.projects_with_data(blob))
    for source in sources:
        projects += sorted(read_register(services.store, source.environment).with_data(blob))
    look_at(projects, services, datetime.now(UTC))
    log.info("blob %r is data of %s", blob[:300], projects or "no project")
    return projects
