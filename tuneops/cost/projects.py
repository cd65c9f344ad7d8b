"""What the stored documents say of what runs: what each deployment is for, what is under way."""

import logging
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from tuneops import documents
from tuneops.cost.machines import Deployed, most
from tuneops.inheriting import inheriting
from tuneops.names import environment_of
from tuneops.project import Project
from tuneops.release import Phase, Release
from tuneops.services import Services
from tuneops.store import UnreadableError

THREADS = 8
_BEFORE_LIVE = (Phase.DEPLOYING, Phase.TESTING, Phase.SHIFTING)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Known:
    """A project with its newest release and the one that is live."""

    project: Project
    newest: Release | None = None
    live: Release | None = None


def known_projects(services: Services) -> dict[str, Known]:
    """The environment's projects; one that can't be read is left out."""
    listed = map(documents.name_in, services.store.paths(documents.PROJECTS))
    return read_projects(
        services, [name for name in listed if environment_of(name) == services.environment]
    )


def read_projects(services: Services, names: Collection[str]) -> dict[str, Known]:
    """These projects; one that can't be read is left out."""
    with ThreadPoolExecutor(THREADS) as pool:
        read = pool.map(inheriting(partial(_read, services)), names)
        return {name: known for name, known in zip(names, read, strict=True) if known}


def at_most(deployed: Deployed, known: Mapping[str, Known]) -> Deployed:
    """The deployment with as many instances as autoscale may give it, if it does not have more.

    A newer release that is still to make what is live larger counts once it has.
    """
    of = known.get(deployed.project)
    releases = (each for each in (of.newest, of.live) if each) if of else ()
    own = [each for each in releases if each.training and _key(each) == deployed.key]
    if len(own) > 1 and own[0].entered(Phase.TESTING) is None:
        own = own[1:]
    return deployed.replace(count=max([deployed.count, *(most(each.config) for each in own)]))


def _read(services: Services, name: str) -> Known | None:
    try:
        stored = services.store.read(documents.project(name), Project)
        project = stored.value if stored else Project(name=name)
        newest = services.release(name, project.current)
        live = newest if project.live == project.current else services.release(name, project.live)
    except UnreadableError as error:
        log.warning("project %s is left out: %s", name, error)
        return None
    return Known(project, newest.value if newest else None, live.value if live else None)


def role(deployed: Deployed, known: Mapping[str, Known], now: datetime) -> str:
    """What a deployment is for, and until when it is kept if it serves nobody."""
    of = known.get(deployed.project)
    if of is None:
        return f"no project {deployed.project} is known"
    newest = of.newest
    own = newest is not None and newest.training is not None and _key(newest) == deployed.key
    if newest and own and newest.phase in _BEFORE_LIVE:
        return newest.phase.lower()
    if of.project.live_deployment.lower() == deployed.key:
        return "live"
    if deployed.share:
        return "has traffic"
    if newest and own and newest.phase == Phase.FAILED:
        keep = timedelta(minutes=newest.config.rollout.keep_failed_for_minutes)
        return _kept("failed", (newest.entered(Phase.FAILED) or now) + keep, now)
    return _kept("superseded", _superseded_until(of, deployed, now), now)


def _superseded_until(of: Known, deployed: Deployed, now: datetime) -> datetime:
    if of.live is None:
        return now
    rollout = of.live.config.rollout
    lasts = timedelta(minutes=rollout.keep_previous_for_minutes)
    kept = of.project.previous[: rollout.keep_previous]
    until = (each.at + lasts for each in kept if each.deployment.lower() == deployed.key)
    return next(until, now)


def under_way(known: Mapping[str, Known]) -> Iterator[str]:
    """The releases that are not where they should be, each with why."""
    for name, of in sorted(known.items()):
        newest, held = of.newest, of.project.held_back
        if of.project.trouble:
            yield f"{name}: {of.project.trouble.message}"
        elif newest and (newest.phase not in (Phase.LIVE, Phase.RETIRED) or newest.trouble):
            since = newest.entered(newest.phase)
            at = f" since {since:%Y-%m-%d %H:%M} UTC" if since else ""
            yield f"{name}: release {newest.number} is {newest.phase}{at}: {_why(newest)}"
        elif held:
            yield f"{name}: {held}"


def _why(release: Release) -> str:
    waiting = release.waiting.reason if release.waiting else release.reason
    return release.trouble.message if release.trouble else waiting


def _key(release: Release) -> str:
    return f"{release.endpoint}/{release.deployment_name}".lower()


def _kept(what: str, until: datetime, now: datetime) -> str:
    return f"{what}, kept until {until:%Y-%m-%d %H:%M} UTC" if until > now else f"{what}, is going"
