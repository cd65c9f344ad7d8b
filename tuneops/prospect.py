"""What a config would come to now: the workspace and the policy are asked, nothing is begun."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from tuneops import planning
from tuneops.azureml.workspace import Workspace
from tuneops.config import ProjectConfig
from tuneops.cost import outlook
from tuneops.desired import Desired
from tuneops.estimates import Forecast
from tuneops.foresight import foreseen
from tuneops.foretelling import foretell
from tuneops.policy import Policy, violations
from tuneops.prepared import PreparedData
from tuneops.project import Project
from tuneops.release import Release, TrainingPlan


class Newest(Protocol):
    """The newest release of a project, as far as it counts for the next."""

    @property
    def config(self) -> ProjectConfig:
        """What it was made of."""

    @property
    def data(self) -> PreparedData | None:
        """Its data, once prepared."""


@dataclass(frozen=True)
class Prospect:
    """The release that would be, with what it would train; `forbidden` says why it may not be.

    `data` is that of the newest release, where the config wants the same.
    """

    release: Release
    plan: TrainingPlan
    forecast: Forecast
    data: PreparedData | None
    forbidden: tuple[str, ...]


def prospect(
    workspace: Workspace,
    desired: Desired,
    config: ProjectConfig,
    project: Project,
    newest: Newest | None,
    policies: Sequence[Policy],
) -> Prospect:
    """What becomes of `config`; the first policy with prices has the prices.

    Raises:
        RefusedError: it can't be carried out.
        UnavailableError: the workspace can't be asked now.
    """
    data = newest.data if newest and newest.config.data == config.data else None
    release = foreseen(desired, config, project, workspace.id, data, datetime.now(UTC))
    plan = planning.plan(workspace, release)
    priced = next((policy for policy in policies if policy.prices), Policy())
    forecast = foretell(workspace, release.replace(training=plan), priced)
    region = workspace.region if any(policy.allowed_regions for policy in policies) else ""
    forbidden = (violations(policy, config, plan, region, forecast) for policy in policies)
    said = tuple(each for several in forbidden for each in several)
    dear = () if said else outlook.notes(workspace, release.replace(training=plan), policies)
    return Prospect(release, plan.replace(notes=(*plan.notes, *dear)), forecast, data, said)
