"""What in a workspace belongs to nothing: the store is read, Azure and GitHub are asked."""

import logging
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tuneops import documents, names
from tuneops.azureml import tagged
from tuneops.azureml.arm import Json
from tuneops.azureml.errors import RefusedError, UnavailableError
from tuneops.desired import Desired
from tuneops.gitops.errors import GitHubError
from tuneops.gitops.repository import Repository
from tuneops.inheriting import inheriting
from tuneops.orders import Orders
from tuneops.project import Project
from tuneops.release import Phase, Release
from tuneops.services import Services
from tuneops.store import UnreadableError
from tuneops.sweep.finding import Finding, Findings, Proof, asks_since, weighed
from tuneops.sweep.holding import Holding
from tuneops.sweep.resource import Kind, Resource
from tuneops.unwatched import unwatched

SIDE_BY_SIDE = 8

log = logging.getLogger(__name__)


@dataclass
class Survey:
    """What the store says now, read as far as it is needed."""

    services: Services
    now: datetime
    _clusters: set[str] = field(default_factory=set)
    _known: set[str] = field(default_factory=set)
    _ordered: set[str] = field(default_factory=set)
    _families: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        paths = self.services.store.paths
        self._known = documents.desired_projects(paths(documents.DESIRED))
        for project in sorted(self._known):
            self._families.setdefault(names.family(project), []).append(project)
        self._ordered = {documents.name_in(path) for path in paths(documents.ORDERS)}

    @property
    def empty(self) -> bool:
        """Whether there are no projects at all: then everything would seem superfluous."""
        return not self._known

    def orphans(self, resources: Iterable[Resource]) -> list[tuple[Resource, str, str]]:
        """Those that belong to nothing, with why, and why they are not to be deleted if so.

        An endpoint that is one speaks for what is behind it.
        """
        by_project: dict[str, list[Resource]] = {}
        for resource in resources:
            if not resource.wanted:
                by_project.setdefault(resource.project, []).append(resource)
        ordered = sorted(by_project.items())
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            hold = inheriting(lambda of: self.holding(of[0], _releases(of[1])))
            held = list(pool.map(hold, ordered))
        found = [
            judged
            for (project, its), holding in zip(ordered, held, strict=True)
            for judged in self._judged(project, its, holding)
        ]
        endpoints = {judged[0].key for judged in found if judged[0].kind == Kind.ENDPOINT}
        return [judged for judged in found if judged[0].above.lower() not in endpoints]

    def _judged(
        self, project: str, resources: Collection[Resource], holding: Holding | None
    ) -> Iterable[tuple[Resource, str, str]]:
        workspace = self.services.workspace.id
        for resource in resources:
            if self._is_awaited(resource):
                continue
            if holding is None and names.family(project) in self._known:
                yield resource, f"{project[:60]} is over", _of_a_preview(resource)
            elif holding is None:
                left = "it may be another installation's: see who made it, and keep or delete it"
                yield resource, f"there is no project {project[:60]!r} here", left
            elif self._is_named(resource) or holding.claims(resource, workspace, self.now):
                continue
            elif names.TAG_PREVIEW in resource.tags and not names.is_preview(project):
                yield resource, holding.why_not(resource), _of_a_preview(resource)
            elif not holding.made(resource):
                left = "another installation, or this one before its store was lost, has made it"
                yield resource, f"release {resource.release} of {project} has not made it", left
            else:
                yield resource, holding.why_not(resource), ""

    def holding(self, project: str, releases: Collection[int]) -> Holding | None:
        """What the project holds, with these releases of it; None if there is no such project."""
        if project not in self._known:
            return None
        store = self.services.store
        blank = Desired(project=project, commit="", path="", config=None)
        try:
            desired = store.read(documents.desired(project), Desired)
            stored = store.read(documents.project(project), Project)
            if desired is None or stored is None:
                return Holding(blank, Project(name=project), untouched="it has no release yet")
            wanted = {stored.value.current, stored.value.live, *releases} - {None}
            read = {number: self.services.release(project, number) for number in wanted}
            ordered = project in self._ordered
            orders = store.read(documents.orders(project), Orders) if ordered else None
        except UnreadableError as error:
            return Holding(blank, Project(name=project), untouched=str(error))
        known: dict[int, Release] = {n: r.value for n, r in read.items() if n and r}
        held = unwatched(project, desired.value, self.services.settings)
        if orders and orders.value.pin:
            held = held or str(orders.value.pin)
        if orders and orders.value.suspension:
            held = held or str(orders.value.suspension)
        if {stored.value.current, stored.value.live} - {None} - known.keys():
            held = held or "the record of a release has gone"
        return Holding(desired.value, stored.value, known, held)

    def _is_awaited(self, resource: Resource) -> bool:
        """Whether a project or one of its previews waits for the job, whichever has submitted it.

        What is being prepared, or can't be read, may come to wait for any.
        """
        if resource.kind != Kind.JOB:
            return False
        own = self._families.get(names.family(resource.project), [])
        return any(self._waits(project, resource.name) for project in own)

    def _waits(self, project: str, job: str) -> bool:
        try:
            stored = self.services.store.read(documents.project(project), Project)
            newest = self.services.release(project, stored.value.current if stored else None)
        except UnreadableError:
            return True
        if newest is None:
            return False
        return newest.value.phase == Phase.PREPARING or newest.value.active_job == job

    def _is_named(self, resource: Resource) -> bool:
        """Whether a config of any project names the cluster; what can't be read may name any."""
        if resource.kind != Kind.CLUSTER:
            return False
        if not self._clusters:
            self._clusters = {"", *self._named_clusters()}
        return resource.name.lower() in self._clusters or "*" in self._clusters

    def _named_clusters(self) -> Iterable[str]:
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            yield from pool.map(inheriting(self._named_cluster), self._known)

    def _named_cluster(self, project: str) -> str:
        try:
            desired = self.services.store.read(documents.desired(project), Desired)
        except UnreadableError:
            return "*"
        return desired.value.config.compute.name.lower() if desired and desired.value.config else ""


def _releases(resources: Iterable[Resource]) -> set[int]:
    """The releases that have made them, as far as they say."""
    return {each.release for each in resources if each.release}


def _of_a_preview(resource: Resource) -> str:
    """Why it is left: what a preview has made can't be told from another installation's later."""
    number = resource.tags.get(names.TAG_PREVIEW, "")[:16]
    return f"a preview of pull request {number} has made it: delete it if nobody uses it"


def looked_at(survey: Survey, before: Findings) -> Findings:
    """What belongs to nothing now, each looked at itself; what can't be looked at stays as it was.

    Raises:
        RefusedError, UnavailableError: the workspace can't be listed now.
    """
    services, now = survey.services, survey.now
    listed = {each.key: each for each in tagged.resources(services.workspace, now)}
    for known in before.findings:
        listed.setdefault(known.resource.lower(), _of(known))
    found: list[Finding] = []
    for resource, _, _ in survey.orphans(listed.values()):
        finding = before.of(resource)
        try:
            finding, _ = examine(survey, resource, finding)
        except (RefusedError, UnavailableError) as error:
            log.warning("%s can't be looked at now: %s", resource.label, error)
        if finding:
            found.append(finding)
    return before.replace(
        workspace=services.workspace.id,
        looked_at=now,
        total=len(listed),
        trouble="",
        findings=tuple(found),
    )


def examine(
    survey: Survey, resource: Resource, known: Finding | None
) -> tuple[Finding | None, tuple[Json, ...]]:
    """What is found of the resource itself, with its definition; None: it has gone, or belongs.

    The tags that count are those it has now, not those in a list.

    Raises:
        RefusedError, UnavailableError: it can't be told now.
    """
    now = survey.now
    seen = tagged.look(survey.services.workspace, resource, asks_since(known, now), now)
    if seen is None:
        return None, ()
    itself, proof, parts = seen
    judged = survey.orphans([itself]) if itself.project else []
    if not judged:
        return None, ()
    _, why, left = judged[0]
    left = left or _not_ours(survey, parts[1:])
    proof = Proof(left=left) if left else proof
    delay = timedelta(seconds=survey.services.settings.metrics_delay_seconds)
    return weighed(known, itself, why, proof, now, now - delay), parts


def _not_ours(survey: Survey, behind: Iterable[Json]) -> str:
    """Why an endpoint can't go, because a deployment behind it was not made here."""
    for part in behind:
        resource = Resource(part["id"], part.get("tags") or {})
        if any(left for _, _, left in survey.orphans([resource])):
            return f"{resource.label} was made by another installation"
    return ""


def behind_git(services: Services) -> str:
    """Why the store may not know what git wants, empty if it knows the newest commit of all."""
    for source in services.settings.config_sources:
        where = f"{source.repository} ({source.branch})"
        try:
            read = services.store.read(documents.repository(source.environment), Repository)
            head = services.of(source.environment).github.head()
        except (UnreadableError, GitHubError) as error:
            return f"{where} can't be read: {error}"
        if head is None or read is None or head.commit != read.value.commit:
            return f"the newest commit of {where} has not been read yet"
    return ""


def _of(finding: Finding) -> Resource:
    """The resource of a finding, with the tags that it had."""
    return Resource(finding.resource, {"tuneops.project": finding.project})
