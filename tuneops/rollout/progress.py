"""How far a rollout has come, as it is stored with its release."""

from datetime import datetime

from tuneops.analysis import Analysis, DeploymentFigures
from tuneops.document import Document


class Judgement(Document):
    """What the figures of both deployments said of a step, and of which time they are."""

    share: int
    mirrored: bool = False
    since: datetime
    until: datetime
    candidate: DeploymentFigures
    live: DeploymentFigures
    analysis: Analysis


class Progress(Document):
    """The step that a rollout is at, counted from 0, and what was seen at those before it.

    `since`: when the traffic was found to be the step's; None until then. `shifts` counts how often
    the step was begun. `judged` is the newest judgement of the step. `held`: people were told that
    it can't be judged. `aborted` says why the rollout is given up, if it is.
    """

    step: int = 0
    since: datetime | None = None
    shifts: int = 0
    judged: Judgement | None = None
    held: bool = False
    done: tuple[Judgement, ...] = ()
    aborted: str = ""
