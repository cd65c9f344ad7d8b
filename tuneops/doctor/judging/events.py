"""Whether Event Grid tells this TuneOps of uploads and jobs. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from tuneops.azureml.event_subscriptions import EventSubscription
from tuneops.doctor.finding import Finding, failed, ok, skipped, warning
from tuneops.doctor.judging.site import Site

_WEBHOOK = "/runtime/webhooks/eventgrid"


@dataclass(frozen=True)
class Topic:
    """What is to be heard of: events of a resource whose subjects begin so, for a function."""

    check: str
    name: str
    what: str
    resource: str
    function: str
    types: tuple[str, ...]
    subject: str = ""


def data_topic(account_id: str, container: str) -> Topic:
    """Uploads into the container."""
    return Topic(
        check="events.data",
        name="dataset-uploaded",
        what="uploads",
        resource=account_id,
        function="on_dataset_uploaded",
        types=("Microsoft.Storage.BlobCreated",),
        subject=f"/blobServices/default/containers/{container}/blobs/",
    )


def jobs_topic(workspace_id: str) -> Topic:
    """Jobs of the workspace."""
    return Topic(
        check="events.jobs",
        name="job-event",
        what="jobs",
        resource=workspace_id,
        function="on_job_event",
        types=(
            "Microsoft.MachineLearningServices.RunCompleted",
            "Microsoft.MachineLearningServices.RunStatusChanged",
        ),
    )


def judge(
    topic: Topic,
    subscriptions: Sequence[EventSubscription] | None,
    site: Site,
    hosts: Collection[str],
) -> list[Finding]:
    """Whether a subscription tells the function; None: there is no such resource."""
    if subscriptions is None:
        return [skipped(topic.check, "the resource was not found", topic.resource)]
    flaws = {each.name: _flaw(each, topic, site, hosts) for each in subscriptions}
    good = [each for each in subscriptions if not flaws[each.name]]
    if good:
        said = f"event subscription {good[0].name} tells of {topic.what}"
        return [ok(topic.check, said, topic.resource), _dead_letters(good[0], topic)]
    seen = "; ".join(f"{name} {flaw}" for name, flaw in flaws.items())
    said = f"no event subscription tells of {topic.what}{f': {seen}' if seen else ''}"
    return [failed(topic.check, said, _create(topic, site), topic.resource)]


def judge_hidden(topic: Topic, why: str) -> list[Finding]:
    """What is said of subscriptions that TuneOps may not see."""
    mend = f"to have it looked at, grant the app's identity the role Reader on {topic.resource}"
    return [skipped(topic.check, f"TuneOps may not see event subscriptions ({why})", mend=mend)]


def _flaw(each: EventSubscription, topic: Topic, site: Site, hosts: Collection[str]) -> str:
    """Why a subscription does not tell what is to be heard, empty if it does."""
    types = each.types if each.types is None else {name.lower() for name in each.types}
    missing = [name for name in topic.types if types is not None and name.lower() not in types]
    if not _comes_here(each.target, topic.function, site, hosts):
        return f"goes to {each.target}"
    if missing:
        return f"leaves out {', '.join(missing)}"
    if not topic.subject.lower().startswith(each.begins_with.lower()):
        return f"tells of subjects below {each.begins_with} alone"
    if each.ends_with:
        return f"tells of subjects that end with {each.ends_with} alone"
    if each.state not in ("Succeeded", ""):
        return f"is in state {each.state}"
    return ""


def _comes_here(target: str, function: str, site: Site, hosts: Collection[str]) -> bool:
    if target.lower().startswith("https://") or target.lower().startswith("http://"):
        parts = urlsplit(target)
        return parts.netloc.lower() in hosts and parts.path.rstrip("/") == _WEBHOOK
    app, _, name = target.rpartition("/functions/")
    ours = app.rpartition("/")[2].lower() == site.name.lower()
    return name.lower() == function and (ours or not site.known)


def _create(topic: Topic, site: Site) -> str:
    subject = f" --subject-begins-with {topic.subject}" if topic.subject else ""
    return (
        f"az eventgrid event-subscription create --name {topic.name} --source-resource-id "
        f"{topic.resource} --endpoint-type azurefunction --endpoint "
        f"{site.id}/functions/{topic.function} --included-event-types {' '.join(topic.types)}"
        f"{subject}; delete what tells of less"
    )


def _dead_letters(each: EventSubscription, topic: Topic) -> Finding:
    check, where = "events.dead_letters", f"{each.name} of {topic.resource}"
    if each.has_dead_letters:
        return ok(check, "events that can't be delivered are kept", where)
    mend = (
        f"az eventgrid event-subscription update --name {each.name} --source-resource-id "
        f"{topic.resource} --deadletter-endpoint "
        "STORAGE_ACCOUNT_ID/blobServices/default/containers/CONTAINER"
    )
    said = "events that can't be delivered leave no trace; the timer finds what they told of"
    return warning(check, said, mend, where)
