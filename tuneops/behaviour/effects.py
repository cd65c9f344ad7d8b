"""The effects of the behaviour gate, each of which may be done again without harm."""

from datetime import datetime
from typing import Any

from tuneops import actions, documents
from tuneops.behaviour import answers, asking, record, sets
from tuneops.project import Project
from tuneops.release import Release
from tuneops.services import Services


def read_sets(action: Any, release: Release, s: Services, now: datetime) -> Release:
    """Read the sets as they are now."""
    found = sets.read_sets(s.storage, release.project, release.config.behaviour)
    return release.replace(behaviour=found)


def begin_sets(action: actions.BeginSets, release: Release, s: Services, now: datetime) -> Release:
    """Begin to ask, beside the deployment that is live."""
    project = s.store.read(documents.project(release.project), Project)
    live = s.release(release.project, project.value.live if project else None)
    return record.begun(release, action.live, live.value if live else None)


def ask_sets(action: Any, release: Release, s: Services, now: datetime) -> Release:
    """Ask the next questions."""
    return asking.ask(release, s, now)


def keep_comparisons(
    action: actions.KeepComparisons, release: Release, s: Services, now: datetime
) -> Release:
    """Keep what the sets say, the answers that speak most against it, and where all answers are."""
    links, worst = {}, {}
    for place, comparison in enumerate(action.comparisons):
        path = answers.path_of(release, place)
        found = answers.read(s.storage, path)
        worst[comparison.name] = answers.worst(found, release.deployment_name)
        url = str(s.blobs.get_blob_client(s.settings.prepared_container, path).url)
        links[f"answers of {comparison.name}"] = url.partition("?")[0]
    return record.compared(release, action.comparisons, worst).link(**links)
