"""A release's metrics with their curves: as they were kept, or from the job while it trains."""

from contextlib import suppress

from pydantic import BaseModel

from tuneops.azureml import metrics
from tuneops.curves import Curve
from tuneops.loss_curves import curves
from tuneops.reading.asked import services_of
from tuneops.release import Metrics, Phase, Release
from tuneops.services import Services


class ReleaseMetrics(BaseModel):
    """What a release's training has logged; `live` while there is more to come.

    `not_finite` names metrics that were NaN or infinite on their way.
    """

    project: str
    release: int
    phase: str
    live: bool
    values: dict[str, float] = {}
    curves: tuple[Curve, ...] = ()
    not_finite: tuple[str, ...] = ()


def read_metrics(services: Services, release: Release) -> ReleaseMetrics:
    """The metrics that the release has, or those that its job has logged so far.

    Raises:
        NotThereError: nobody knows the workspace any more.
        RefusedError, UnavailableError: the workspace can't be asked now.
    """
    found = release.metrics
    live = found is None and release.phase == Phase.TRAINING
    if live:
        workspace = services_of(services, release.project).workspace
        with suppress(metrics.NoRunError):
            found = metrics.read(workspace, release.job_name)
    found = found or Metrics()
    return ReleaseMetrics(
        project=release.project,
        release=release.number,
        phase=release.phase,
        live=live,
        values=found.values,
        curves=curves(found, found.curves),
        not_finite=found.not_finite,
    )
