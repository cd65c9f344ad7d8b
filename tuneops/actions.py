"""Everything a reconcile can do next; `decide` chooses, `act` does it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tuneops.behaviour.progress import Comparison
from tuneops.difference import Answer, Difference, Part
from tuneops.evaluation.checks import Check
from tuneops.release import Phase
from tuneops.rollout.question import Said
from tuneops.training_progress import TrainingProgress


@dataclass(frozen=True)
class Idle:
    """Nothing to do until something changes."""

    reason: str


@dataclass(frozen=True)
class Wait:
    """Look again later; `seconds` None: at the usual interval.

    After `patience` people are told that it takes long; None: it may take as long as it likes.
    `about` names what is waited for where the reason has figures that change meanwhile. `progress`
    is how far the training has come.
    """

    reason: str
    seconds: float | None = None
    patience: timedelta | None = None
    about: str = ""
    progress: TrainingProgress | None = None


@dataclass(frozen=True)
class StartRelease:
    """Begin the next release of what is desired."""


@dataclass(frozen=True)
class PrepareData:
    """Check, split and store the training data under its digest, or find that a job has to."""


@dataclass(frozen=True)
class SubmitDataJob:
    """Submit the job that prepares the data, under its deterministic name."""


@dataclass(frozen=True)
class NextDataAttempt:
    """An earlier release's data job of this name ended in vain: take the next name."""


@dataclass(frozen=True)
class RegisterData:
    """Register the prepared files as Data assets."""


@dataclass(frozen=True)
class PlanTraining:
    """Resolve base model, component, compute and parameters; this fixes the training digest."""


@dataclass(frozen=True)
class CreateCluster:
    """Begin creating the cluster that the config describes."""


@dataclass(frozen=True)
class ScaleCluster:
    """Begin giving a cluster that we created the scale of the config."""


@dataclass(frozen=True)
class ReleaseNodes:
    """Begin letting a cluster that we created scale to zero."""


@dataclass(frozen=True)
class SubmitJob:
    """Submit the training pipeline under its deterministic name."""


@dataclass(frozen=True)
class NoteSubmission:
    """The release's job is there, and that it was submitted was not written down: do so now."""


@dataclass(frozen=True)
class NextAttempt:
    """An earlier release's job of this name ended without a model: take the next name."""


@dataclass(frozen=True)
class NoteOverrun:
    """Note that the job has run for longer than it may, before that is what cancels it."""


@dataclass(frozen=True)
class CancelJob:
    """Cancel the job that runs for the release, or was left to it: nobody waits for it."""


@dataclass(frozen=True)
class ReadMetrics:
    """Read the finished job's metrics."""


@dataclass(frozen=True)
class KeepChecks:
    """Keep what the checks of the metrics found, and tell people how the training went."""

    checks: tuple[Check, ...]


@dataclass(frozen=True)
class AdoptModel:
    """Go on with the model of the release that the project is pinned to."""

    release: int


@dataclass(frozen=True)
class RegisterModel:
    """Register the job's output as a model, and go on to deploy it."""


@dataclass(frozen=True)
class CreateEndpoint:
    """Begin creating the project's endpoint; `ahead`: before the job is submitted."""

    ahead: bool = False


@dataclass(frozen=True)
class UpdateEndpoint:
    """Begin giving the endpoint the settings of the config."""


@dataclass(frozen=True)
class RepairEndpoint:
    """Azure failed at the last change of the endpoint: begin giving it its settings again."""


@dataclass(frozen=True)
class ReserveCost:
    """Take room below the limit of costs for the release's deployment, if there still is some."""


@dataclass(frozen=True)
class CreateDeployment:
    """Begin creating the release's deployment, without traffic."""


@dataclass(frozen=True)
class RepairDeployment:
    """Azure failed at creating the deployment for no lasting reason: begin it again."""


@dataclass(frozen=True)
class NoteFailure:
    """Note when the deployment was seen to have failed for no lasting reason."""


@dataclass(frozen=True)
class MakeRoom:
    """Note that there is no quota while superseded deployments are kept: they go."""


@dataclass(frozen=True)
class LackMachines:
    """Note that the instance type in use is not to be had: the next one is tried."""

    reason: str


@dataclass(frozen=True)
class PreferInstanceType:
    """Note that the deployment is there already on this instance type."""

    instance_type: str


@dataclass(frozen=True)
class SetAutoscale:
    """Give the deployment the autoscale setting of the config, or take it away."""


@dataclass(frozen=True)
class DeleteAutoscale:
    """Delete what is left of a deployment that has gone: its autoscale setting."""

    endpoint: str
    deployment: str


@dataclass(frozen=True)
class RunSmokeTest:
    """Ask the new deployment the next question of the smoke test."""


@dataclass(frozen=True)
class ReadSets:
    """Read the evaluation sets, and keep what is to be asked."""


@dataclass(frozen=True)
class BeginSets:
    """Note which deployment is live (empty: none), and what it is known to answer."""

    live: str


@dataclass(frozen=True)
class AskSets:
    """Ask the new deployment and the live one the next questions of a set."""


@dataclass(frozen=True)
class KeepComparisons:
    """Keep what the evaluation sets say, with the worst answers."""

    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True)
class ShiftTraffic:
    """Begin giving all traffic to the release's deployment."""


@dataclass(frozen=True)
class ShareTraffic:
    """Begin giving the release's deployment `share` percent of the traffic, the rest to `live`.

    `mirrored`: all of it stays with `live`, and so many percent of the requests are copied.
    `again`: Azure has failed at the last change of the endpoint.
    """

    live: str
    share: int
    mirrored: bool = False
    again: bool = False


@dataclass(frozen=True)
class BeginStep:
    """Note that the traffic of a rollout's step is in place, and tell people of the first."""

    live: str
    share: int
    mirrored: bool = False


@dataclass(frozen=True)
class ReadFigures:
    """Read the live figures of both deployments and weigh them."""

    live: str
    since: datetime
    until: datetime


@dataclass(frozen=True)
class NextStep:
    """The step is passed."""


@dataclass(frozen=True)
class Hold:
    """Tell people that a step can't be judged and lasts on."""

    reason: str


@dataclass(frozen=True)
class AskPeople:
    """Ask people whether the release may get `share` percent; `until` None: without an end."""

    share: int
    until: datetime | None


@dataclass(frozen=True)
class LookForAnswers:
    """Read the comments where the question was asked, in case their events were lost."""


@dataclass(frozen=True)
class TakeAnswer:
    """Note what somebody has said to the question."""

    said: Said


@dataclass(frozen=True)
class TellOverdue:
    """Tell people that nobody has answered in time, and wait on."""

    reason: str


@dataclass(frozen=True)
class Abort:
    """Give the rollout up; its traffic goes back before the release fails."""

    reason: str


@dataclass(frozen=True)
class PromoteRelease:
    """Note that this release is live now, and the one before superseded."""


@dataclass(frozen=True)
class DeleteDeployment:
    """Begin deleting a deployment of ours that has no traffic.

    It is behind the release's endpoint, or behind `endpoint`, which has an earlier name.
    """

    name: str
    endpoint: str = ""


@dataclass(frozen=True)
class DeleteEndpoint:
    """Begin deleting an endpoint of ours."""

    name: str


@dataclass(frozen=True)
class ReportBaseModel:
    """Tell people that the registry has a newer version of the base model."""

    id: str


@dataclass(frozen=True)
class NoteDrift:
    """Write down how what is live differs, and tell people if they do not know it yet."""

    differences: tuple[Difference, ...]
    answer: Answer


@dataclass(frozen=True)
class Heal:
    """Begin bringing back a part of what has drifted."""

    part: Part


@dataclass(frozen=True)
class EndDrift:
    """Nothing differs any more."""


@dataclass(frozen=True)
class Advance:
    """Enter the next phase."""

    phase: Phase
    reason: str


@dataclass(frozen=True)
class Fail:
    """End the release; what is live stays live. `by_policy`: until the policy allows it."""

    reason: str
    by_policy: bool = False


Effect = (
    StartRelease
    | PrepareData
    | SubmitDataJob
    | NextDataAttempt
    | RegisterData
    | PlanTraining
    | CreateCluster
    | ScaleCluster
    | ReleaseNodes
    | SubmitJob
    | NoteSubmission
    | NextAttempt
    | NoteOverrun
    | CancelJob
    | ReadMetrics
    | KeepChecks
    | AdoptModel
    | RegisterModel
    | CreateEndpoint
    | UpdateEndpoint
    | RepairEndpoint
    | ReserveCost
    | CreateDeployment
    | RepairDeployment
    | NoteFailure
    | MakeRoom
    | LackMachines
    | PreferInstanceType
    | SetAutoscale
    | DeleteAutoscale
    | RunSmokeTest
    | ReadSets
    | BeginSets
    | AskSets
    | KeepComparisons
    | ShiftTraffic
    | ShareTraffic
    | BeginStep
    | ReadFigures
    | NextStep
    | Hold
    | AskPeople
    | LookForAnswers
    | TakeAnswer
    | TellOverdue
    | Abort
    | PromoteRelease
    | DeleteDeployment
    | DeleteEndpoint
    | ReportBaseModel
    | NoteDrift
    | Heal
    | EndDrift
    | Advance
    | Fail
)
Action = Effect | Wait | Idle
