"""Area `roles`: what the identity may do in a workspace and its resource group."""

from collections.abc import Iterator

from azure.core.exceptions import AzureError

from tuneops.azureml import compute, permissions
from tuneops.azureml.errors import MissingRoleError, RefusedError, UnavailableError
from tuneops.azureml.permissions import Permission
from tuneops.azureml.workspace import Workspace
from tuneops.config import ProjectConfig
from tuneops.doctor.finding import Finding, failed, skipped
from tuneops.doctor.judging import roles as judging
from tuneops.doctor.patient import Patient


def look(patient: Patient, workspace: Workspace, environment: str | None) -> Iterator[Finding]:
    """What may be done, held against what configs take: those of one environment, or of all."""
    group = workspace.id.partition("/providers/")[0]
    try:
        of_workspace = permissions.granted(workspace, workspace.id)
        of_group = permissions.granted(workspace, group) or ()
    except (RefusedError, UnavailableError) as error:
        mend = "see that the app's network reaches Azure"
        yield failed("roles.workspace", f"{error}", mend, workspace.id)
        return

    def allows(granted: tuple[Permission, ...], action: str) -> bool:
        return any(each.allows(action) for each in granted)

    yield _region(patient, workspace)
    yield from judging.judge(
        workspace.id,
        None if of_workspace is None else lambda action: allows(of_workspace, action),
        lambda action: allows(of_group, action),
        _configs(patient, environment),
        patient.object_id,
    )


def _region(patient: Patient, workspace: Workspace) -> Finding:
    """Nothing lists what may be done in a subscription alone, so it is tried."""
    said = ""
    try:
        compute.sizes(workspace)
    except MissingRoleError as error:
        said = str(error)
    except (RefusedError, UnavailableError) as error:
        return skipped("roles.region", str(error), workspace.id)
    return judging.judge_region(said, workspace.id, patient.object_id)


def _configs(patient: Patient, environment: str | None) -> list[ProjectConfig]:
    """What configs ask for, as far as it can be read: the storage account is another's matter."""
    try:
        return [each.config for each in patient.wanted(environment)]
    except AzureError:
        return []
