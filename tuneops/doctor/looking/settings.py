"""Area `settings`: references, the page's address, the workspace."""

from collections.abc import Iterator

from tuneops.azureml import arm
from tuneops.azureml.errors import MissingRoleError, RefusedError, UnavailableError
from tuneops.azureml.workspace import Workspace
from tuneops.doctor.finding import Finding
from tuneops.doctor.judging import settings as judging
from tuneops.doctor.judging.settings import Seen
from tuneops.doctor.patient import Patient


def look(patient: Patient) -> Iterator[Finding]:
    """What the app's own environment tells."""
    yield judging.judge_valid(None, patient.site)
    yield from judging.judge_secrets(patient.environment, patient.site)
    yield judging.judge_page(patient.environment, patient.site)


def look_at_workspace(patient: Patient, workspace: Workspace) -> Iterator[Finding]:
    """What Azure tells of a workspace."""
    yield judging.judge_workspace(_seen(workspace), workspace.id, patient.site)


def _seen(workspace: Workspace) -> Seen:
    try:
        found = arm.get(workspace, workspace.id)
    except MissingRoleError:
        return Seen(hidden=True)
    except (RefusedError, UnavailableError) as error:
        return Seen(error=str(error))
    if found is None:
        return Seen()
    state = (found.get("properties") or {}).get("provisioningState") or ""
    return Seen(there=True, location=str(found.get("location") or ""), state=str(state))
