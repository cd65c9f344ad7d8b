"""Area `events`: Event Grid's subscriptions."""

from collections.abc import Iterator

from tuneops.azureml import event_subscriptions
from tuneops.azureml.errors import MissingRoleError, RefusedError, UnavailableError
from tuneops.azureml.workspace import Workspace
from tuneops.doctor.finding import Finding, failed
from tuneops.doctor.judging import events as judging
from tuneops.doctor.judging.events import Topic
from tuneops.doctor.patient import Patient


def look_at_data(patient: Patient, workspace: Workspace) -> Iterator[Finding]:
    """Whether uploads are told of; the workspace lends its way to Azure."""
    container = patient.services.settings.datasets_container
    topics = [judging.data_topic(account, container) for account in patient.account_ids]
    yield from _look(patient, workspace, *topics)


def look_at_jobs(patient: Patient, workspace: Workspace) -> Iterator[Finding]:
    """Whether jobs of the workspace are told of."""
    yield from _look(patient, workspace, judging.jobs_topic(workspace.id))


def _look(patient: Patient, workspace: Workspace, *topics: Topic) -> Iterator[Finding]:
    """Whether one of these is told of: the first whose resource is there."""
    topic, *others = topics
    try:
        found = event_subscriptions.listed(workspace, topic.resource)
    except MissingRoleError as error:
        yield from judging.judge_hidden(topic, str(error))
        return
    except (RefusedError, UnavailableError) as error:
        mend = "see that the app's network reaches Azure"
        yield failed(topic.check, str(error), mend, topic.resource)
        return
    if found is None and others:
        yield from _look(patient, workspace, *others)
        return
    yield from judging.judge(topic, found, patient.site, patient.hosts)
