"""The forecast of a release that is planned: whether its job is there already is looked up."""

from tuneops.azureml import jobs
from tuneops.azureml.workspace import Workspace
from tuneops.estimates import Forecast
from tuneops.forecast import forecast, without_training
from tuneops.policy import FILE, Policy
from tuneops.release import Release


def foretell(workspace: Workspace, release: Release, policy: Policy) -> Forecast:
    """What a release with a training plan is likely to take, by the policy's prices.

    Raises:
        UnavailableError: the workspace can't be asked now.
    """
    plan, data = release.plan, release.data
    if data and data.digest:
        job = jobs.observe(workspace, release.job_name)
        if job and not job.unsuccessful:
            return without_training(plan, data, release.trainings, policy.prices)
    found = forecast(plan, data, release.trainings, policy.prices)
    if found.unknown and policy.max_estimated_cost is not None:
        unchecked = f"{found.unknown}; max_estimated_cost of {FILE} is not checked"
        return found.replace(unknown=unchecked)
    return found
