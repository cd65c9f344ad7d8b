"""What a project holds of what carries its tags, and why. Pure.

Whatever the reconciler is about to make, keep or take down belongs to the project: it alone acts on
that. What is left over is what no reconcile will ever look at again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tuneops import names
from tuneops.config import ProjectConfig
from tuneops.desired import Desired
from tuneops.project import Project
from tuneops.release import Phase, Release
from tuneops.sweep.resource import Kind, Resource


@dataclass(frozen=True)
class Holding:
    """A project as it is stored.

    `releases` are the newest, the live one and those that tags name; `untouched` says why nothing
    of the project may be judged, empty if it may.
    """

    desired: Desired
    project: Project
    releases: Mapping[int, Release] = field(default_factory=dict)
    untouched: str = ""

    @property
    def current(self) -> Release | None:
        """The newest release."""
        return self.releases.get(self.project.current or 0)

    @property
    def live(self) -> Release | None:
        """The release that has the traffic."""
        return self.releases.get(self.project.live or 0)

    @property
    def last_config(self) -> ProjectConfig | None:
        """What git says of it, or said last."""
        made = self.current.config if self.current else None
        return self.desired.config or self.desired.removed or made

    def made(self, resource: Resource) -> bool:
        """Whether a release of ours has made the resource.

        A release is stored before it makes anything. Another installation of TuneOps, or this one
        before its store was lost, has made releases of other commits under the same numbers.
        """
        release = self.releases.get(resource.release or 0)
        return release is not None and release.commit == resource.commit

    def claims(self, resource: Resource, workspace_id: str, now: datetime) -> bool:
        """Whether the resource belongs to the project."""
        if self._holds_everything:
            return True
        if resource.kind == Kind.JOB:
            return self._claims_job(resource.name)
        if resource.kind == Kind.CLUSTER:
            return False
        endpoint = resource if resource.kind == Kind.ENDPOINT else Resource(resource.above)
        if endpoint.name.lower() not in self._endpoints(workspace_id):
            return False
        return resource is endpoint or self._claims_deployment(resource, now)

    @property
    def _holds_everything(self) -> bool:
        """While people or the reconciler are not done with it, all of it is left to them."""
        current = self.current
        suspended = self.desired.config is not None and self.desired.config.suspend
        unfinished = current is not None and not current.phase.ended
        retiring = (
            self.desired.config is None and current is not None and current.phase != Phase.RETIRED
        )
        held = bool(self.untouched or self.project.pin)
        return held or suspended or retiring or (unfinished and not self._trains)

    @property
    def _trains(self) -> bool:
        """Whether the newest release has its job: another one of the project's is nobody's."""
        return self.current is not None and self.current.phase == Phase.TRAINING

    def _claims_job(self, name: str) -> bool:
        """Jobs have the names of what they train, so a release may have another's."""
        return self._trains and self.current is not None and self.current.job_name == name

    def _endpoints(self, workspace_id: str) -> set[str]:
        """The names of its endpoints, in lower case."""
        config, project = self.desired.config, self.project
        if config is None:
            retained = self.last_config is not None and self.last_config.on_removal == "retain"
            return {name.lower() for name in project.endpoints} if retained else set()
        own = config.endpoint.name or names.endpoint_name(project.name, workspace_id)
        known = (release.endpoint for release in (self.current, self.live) if release)
        return {name.lower() for name in (own, *known, *project.endpoints)}

    def _claims_deployment(self, resource: Resource, now: datetime) -> bool:
        if self.desired.config is None or self._trains or now < self._kept_until(now):
            return True
        live = self.project.live_deployment.rpartition("/")[2]
        serving = [r for r in (self.current, self.live) if r and r.phase == Phase.LIVE]
        return resource.name in {live, *(r.deployment_name for r in serving if r.training)}

    def _kept_until(self, now: datetime) -> datetime:
        """Until when a failed deployment, or one that was live before, is kept on purpose."""
        until = []
        if self.live and self.live.config.rollout.keep_previous:
            lasts = timedelta(minutes=self.live.config.rollout.keep_previous_for_minutes)
            until += [each.at + lasts for each in self.project.previous]
        if self.current and self.current.phase == Phase.FAILED:
            minutes = self.current.config.rollout.keep_failed_for_minutes
            until.append((self.current.entered(Phase.FAILED) or now) + timedelta(minutes=minutes))
        return max(until, default=now)

    def why_not(self, resource: Resource) -> str:
        """Why the resource belongs to nothing, in words."""
        if resource.kind == Kind.CLUSTER:
            return "no config names it"
        if resource.kind == Kind.JOB:
            return f"no release of {resource.project} waits for it"
        if self.desired.config is None:
            return f"{self.desired.path} was removed from git"
        if resource.kind == Kind.ENDPOINT:
            return f"{self.desired.path} has another endpoint"
        return "it is neither live nor kept"
