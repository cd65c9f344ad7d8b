"""A project: what is remembered of it besides its releases."""

from datetime import datetime
from functools import cached_property
from typing import ClassVar

from tuneops import migrations, names
from tuneops.config import ProjectConfig
from tuneops.desired import Desired, Source, fingerprint
from tuneops.document import Document, Given
from tuneops.estimates import Measured
from tuneops.looks import MAX_ENDPOINTS, Look, Note
from tuneops.orders import Pin, Suspension
from tuneops.pins import pins
from tuneops.release import Phase, Release, Trouble
from tuneops.superseded import Superseded, superseding

MAX_TRAININGS = 8
"""How many earlier trainings are remembered."""

MAX_REJECTED = 20
MAX_SERVED = 50


class Wake(Document):
    """The queue message that will look at a project again."""

    id: str
    at: datetime


class Rejection(Document):
    """What was rolled back, and why: it does not come back by itself."""

    release: int
    config: Given[ProjectConfig]
    source: Source
    why: str

    @cached_property
    def fingerprint(self) -> str:
        """As that of what is desired."""
        return fingerprint(self.config, self.source)


class Project(Document):
    """What is remembered of a project besides its releases.

    `current` is the newest release, `live` the one that has the traffic, `live_deployment` what
    that goes to, as ENDPOINT/DEPLOYMENT, empty when an older version wrote it, `previous` what was
    before; `endpoints` are the names of all endpoints made for it that may still exist; `pins` what
    its releases have resolved;
    `trainings` the last ones that were measured, oldest first; `answered` the commit whose change
    of the config has come to its end; `served` the training digests of the models that were live.
    `trouble` is what keeps it from being looked at at all, `look` the last that found nothing to
    do. `pin` is the order that is followed, `rejected` what was rolled back; `held_back` says why
    what git wants is not done, if it is not. `autoscaled`: it has, or had, autoscale settings.
    `suspension` is the order to stand still that was seen. `looked` is when the last look began
    of those that came late, by storage's clock.
    """

    MIGRATIONS: ClassVar = (
        migrations.at(
            "rejected", migrations.EACH, "config", "rollout", change=migrations.keep_for_minutes
        ),
    )

    name: str
    current: int | None = None
    live: int | None = None
    live_deployment: str = ""
    previous: tuple[Superseded, ...] = ()
    endpoints: tuple[str, ...] = ()
    pins: dict[str, str] = {}
    trainings: tuple[Measured, ...] = ()
    answered: str = ""
    served: tuple[str, ...] = ()
    autoscaled: bool = False
    wake: Wake | None = None
    trouble: Trouble | None = None
    pin: Pin | None = None
    suspension: Suspension | None = None
    rejected: tuple[Rejection, ...] = ()
    held_back: str = ""
    look: Look | None = None
    looked: datetime | None = None

    @property
    def note(self) -> Note:
        """What a resync needs to know of it."""
        wake_at = self.wake.at if self.wake else None
        return Note(wake_at=wake_at, look=self.look, endpoints=self.endpoints[-MAX_ENDPOINTS:])

    def promote(self, release: Release, at: datetime) -> "Project":
        """The project with this release as the live one, since `at`."""
        serving = f"{release.endpoint}/{release.deployment_name}"
        previous = superseding(self.previous, self.live_deployment, serving, at)
        digest = release.plan.digest
        served = (*(each for each in self.served if each != digest), digest)[-MAX_SERVED:]
        return self.replace(
            live=release.number, live_deployment=serving, previous=previous, served=served
        )

    def rejection(self, desired: Desired) -> Rejection | None:
        """The rejection that what is desired meets with, if any."""
        wanted = desired.fingerprint
        return next((each for each in self.rejected if each.fingerprint == wanted), None)

    def reject(self, release: Release, why: str) -> "Project":
        """The project that does not make such a release by itself any more."""
        kept = [each for each in self.rejected if each.fingerprint != release.made_of]
        new = Rejection(
            release=release.number, config=release.config, source=release.source, why=why
        )
        return self.replace(rejected=(*kept, new)[-MAX_REJECTED:])

    def allow(self, desired: Desired) -> "Project":
        """The project without a rejection of what is desired."""
        met = self.rejection(desired)
        return self.replace(rejected=tuple(each for each in self.rejected if each != met))

    def remember(self, release: Release) -> "Project":
        """The project with what this release has resolved, measured and answered.

        A release that was superseded on its way, or that the policy did not allow, leaves the
        change of its config to be answered by the next one. A pin's answers no change.
        """
        measured = release.actuals.measured if release.actuals else None
        on_its_way = release.phase == Phase.SUPERSEDED and release.entered(Phase.LIVE) is None
        open_still = on_its_way or release.forbidden or release.adopts is not None
        return self.replace(
            pins={**self.pins, **release.resolved},
            trainings=self._with(measured) if measured else self.trainings,
            answered=self.answered if open_still else release.commit,
            autoscaled=self.autoscaled or release.autoscaled,
        )

    def _with(self, training: Measured) -> tuple[Measured, ...]:
        """The trainings and this one; of a job known already, unless more is known of it now.

        A release that only came upon the job can't tell what there was around it.
        """
        known = any(each.job == training.job for each in self.trainings)
        if known and not training.around_seconds:
            return self.trainings
        others = (each for each in self.trainings if each.job != training.job)
        return (*others, training)[-MAX_TRAININGS:]


def start_release(
    desired: Desired,
    project: Project,
    workspace_id: str,
    at: datetime,
    before: Release | None = None,
) -> Release:
    """The project's next release, in its first phase; it keeps what the project has pinned.

    It may go on with the job that the one `before` it has left running.

    Raises:
        ValueError: there is no config or no data to make a release of.
    """
    if desired.config is None or desired.source is None:
        raise ValueError(f"{desired.project} has no config or no data")
    endpoint = desired.config.endpoint.name or names.endpoint_name(desired.project, workspace_id)
    release = Release(
        project=desired.project,
        number=(project.current or 0) + 1,
        fingerprint=desired.fingerprint,
        commit=desired.commit,
        path=desired.path,
        answers_change=desired.adopts is None and desired.commit != project.answered,
        config=desired.config,
        source=desired.source,
        endpoint=endpoint,
        phase=Phase.PREPARING,
        adopts=desired.adopts,
        left_job=before.running_job if before else "",
        pins=pins(desired.config, project.pins),
        trainings=project.trainings,
        autoscaled=project.autoscaled or desired.config.deployment.autoscale is not None,
    )
    back = "" if desired.adopts is None else f"back to release {desired.adopts}: "
    reason = f"{back}{desired.path} at {desired.commit[:8]} with data {desired.source.name}"
    return release.advance(Phase.PREPARING, at, reason)
