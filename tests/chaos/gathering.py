"""Reading the evidence: from Azure, GitHub, the channel, and TuneOps's own documents."""

from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import httpx2
from azure.core.exceptions import ResourceNotFoundError

from tests.chaos.evidence import Ended, Evidence, Sent
from tests.chaos.team import Team
from tests.cloud import Cloud
from tuneops import documents
from tuneops.azureml.workspace import plain
from tuneops.events.reading import Asked, read_events
from tuneops.names import TAG_PROJECT, TAG_RELEASE, TAG_TRAINING, project_of_job
from tuneops.notify.mailbox import read_note
from tuneops.release import Phase, Release
from tuneops.store import Store

MOST_EVENTS = 100_000
ENDED = ("Completed", "Failed", "Canceled")
LEASED = ("projects/", "carriers/", "heard/", "pulls/", "sweeps/", "repository.json")


def gather(cloud: Cloud, teams: Collection[Team], sent: Iterable[Sent]) -> Evidence:
    """All that is known now of these projects and what was sent to the hosts."""
    evidence = Evidence()
    store = Store(cloud.blobs, "tuneops")
    ml = cloud.ml
    jobs = list(ml.jobs.list())
    for team in teams:
        releases = team.releases()
        evidence.expected += team.expected
        evidence.ended += [_ended(release, jobs) for release in releases]
        evidence.wanted |= _wanted(team, releases)
        evidence.kept |= _kept(team, releases)
        _read_statuses(cloud, team.name, releases, evidence)
        _read_models(ml, team.name, evidence)
    names = {team.name for team in teams}
    _read_workspace(ml, jobs, names, evidence)
    _read_scales(cloud, names, evidence)
    there = {name for name in evidence.kept if name in evidence.there}
    evidence.kept |= {name.replace("deployment", "scale", 1) for name in there}
    _read_leases(cloud, evidence)
    _read_events(cloud, sent, evidence)
    for team in teams:
        evidence.torn_down |= _torn_down(team, evidence.there)
    told = httpx2.get(cloud.connection["inbox_url"], timeout=30).json()
    evidence.told = dict(Counter(str(each["body"]["title"]) for each in told))
    for mailbox in store.listed(documents.MAILBOXES):
        note = read_note(mailbox.note)
        if note.waiting or note.given_up:
            said = f"{mailbox.path}: {note.waiting} wait, {note.given_up} given up"
            evidence.owed.append(said)
    return evidence


def _ended(release: Release, jobs: list[Any]) -> Ended:
    """How a release stands, and what has happened on its way: whether it trains says Azure."""
    phases = {entry.phase for entry in release.history}
    happened = {
        "queued": True,
        "submitted": any(_trains(release, job) for job in jobs),
        "trained": bool(release.checks),
        "shifting": bool(release.rollout and (release.rollout.done or release.rollout.since)),
        "live": Phase.LIVE in phases,
        "failed": Phase.FAILED in phases,
    }
    told = tuple(event for event, so in happened.items() if so)
    return Ended(
        release.project, release.number, str(release.phase), release.reason, told, release.commit
    )


def _trains(release: Release, job: Any) -> bool:
    """Whether a job is the training of this very release."""
    number = (job.tags or {}).get(TAG_RELEASE)
    return release.training is not None and (str(job.name), number) == (
        release.job_name,
        str(release.number),
    )


def _wanted(team: Team, releases: list[Release]) -> set[str]:
    """What belongs to the project: what is live, and its cluster."""
    project = team.project()
    if project is None or not releases:
        return set()
    newest, wanted = releases[-1], set()
    live = next((each for each in releases if each.number == project.live), None)
    if live and live.phase == Phase.LIVE and newest.phase != Phase.RETIRED:
        wanted |= {
            f"endpoint {live.endpoint}",
            f"deployment {live.endpoint}/{live.deployment_name}",
        }
        if live.deployment.autoscale:
            wanted.add(f"scale {live.endpoint}/{live.deployment_name}")
    for release in releases:
        if release.config.compute.cluster and release.training:
            wanted.add(f"cluster {release.config.compute.name}")
    return wanted


def _kept(team: Team, releases: list[Release]) -> set[str]:
    """What was live before and may be kept for a while, unless there is no room for it."""
    project = team.project()
    if project is None or not releases or releases[-1].phase == Phase.RETIRED:
        return set()
    newest = project.previous[: releases[-1].config.rollout.keep_previous]
    return {f"deployment {each.deployment}" for each in newest}


def _torn_down(team: Team, there: set[str]) -> set[str]:
    """The messages of what was live before and has gone, but not with its endpoint or by hand.

    A release that fails takes it down without a word.
    """
    project = team.project()
    if project is None or {each.phase for each in team.releases()} - {Phase.LIVE, Phase.SUPERSEDED}:
        return set()
    before = {each.deployment for each in project.previous} - team.deleted_by_hand
    places = (each.partition("/") for each in before)
    return {
        f"{team.name}: torn down: {name}"
        for endpoint, _, name in places
        if f"endpoint {endpoint}" in there and f"deployment {endpoint}/{name}" not in there
    }


def _read_statuses(cloud: Cloud, project: str, releases: list[Release], evidence: Evidence) -> None:
    for commit in {release.commit for release in releases if release.commit}:
        for each in reversed(cloud.github(f"commits/{commit}/statuses")):
            if each["context"] == f"tuneops/{project}":
                evidence.statuses[(commit, project)] = str(each["state"])


def _read_models(ml: Any, project: str, evidence: Evidence) -> None:
    with suppress(ResourceNotFoundError):
        for model in ml.models.list(name=project):
            digest = (model.tags or {}).get(TAG_TRAINING, "")
            evidence.models.setdefault(f"{project} {digest}", []).append(str(model.version))


def _read_workspace(ml: Any, jobs: list[Any], projects: set[str], evidence: Evidence) -> None:
    def is_ours(resource: Any) -> bool:
        return (resource.tags or {}).get(TAG_PROJECT) in projects

    for endpoint in filter(is_ours, ml.online_endpoints.list()):
        evidence.there.add(f"endpoint {endpoint.name}")
        for deployment in ml.online_deployments.list(endpoint.name):
            evidence.there.add(f"deployment {endpoint.name}/{deployment.name}")
    for job in filter(is_ours, jobs):
        name = str(job.name)
        if project_of_job(name):
            digest = "-".join(name.removeprefix(f"{job.tags[TAG_PROJECT]}-").split("-")[:1])
            key = f"{job.tags[TAG_PROJECT]} {digest}"
            evidence.jobs.setdefault(key, []).append((name, plain(job.status)))
        if job.status not in ENDED:
            evidence.there.add(f"job {name}")
    for cluster in filter(is_ours, ml.compute.list()):
        evidence.there.add(f"cluster {cluster.name}")


def _read_scales(cloud: Cloud, projects: set[str], evidence: Evidence) -> None:
    """Autoscale settings, by the deployment that they scale."""
    for each in cloud.autoscale_settings():
        if (each.get("tags") or {}).get(TAG_PROJECT) in projects:
            target = str(each["properties"]["targetResourceUri"])
            endpoint, _, deployment = target.partition("/onlineEndpoints/")[2].partition("/")
            evidence.there.add(f"scale {endpoint}/{deployment.rpartition('/')[2]}")


def _read_leases(cloud: Cloud, evidence: Evidence) -> None:
    container = cloud.blobs.get_container_client("tuneops")
    for prefix in LEASED:
        for blob in container.list_blobs(name_starts_with=prefix):
            if blob.lease.state == "leased":
                evidence.there.add(f"lease {blob.name}")


def _read_events(cloud: Cloud, sent: Iterable[Sent], evidence: Evidence) -> None:
    """What became of the events that were sent here, and of those that Event Grid has sent.

    GitHub does not repeat what a host that died has not taken: the timer finds that.
    """
    asked = Asked.model_construct(day=datetime.now(UTC).date(), limit=MOST_EVENTS)
    found = read_events(cloud.blobs.get_container_client("tuneops"), asked)
    evidence.fates = {each.arrival.id: each.fate for each in found.events}
    others = (
        Sent(each.arrival.id, f"{each.arrival.type} {each.arrival.subject}")
        for each in found.events
        if each.arrival.source != "github"
    )
    evidence.sent = list({each.id: each for each in (*others, *sent)}.values())
    url = f"{cloud.connection['platform_url']}/eventgrid/_status"
    answer = httpx2.get(url, timeout=30)
    rows = answer.json()["subscriptions"] if answer.is_success else []
    for row in rows:
        waiting = {name: row[name] for name in ("pending", "dead_lettered") if row.get(name)}
        if waiting:
            evidence.undelivered.append(f"{row['name']}: {waiting}")
