"""Areas `github`, `webhook` and `repository`: what GitHub tells of a source's repository."""

from collections.abc import Iterator

from tuneops import documents
from tuneops.doctor.finding import Finding, skipped
from tuneops.doctor.judging import github as standing
from tuneops.doctor.judging import repository as reading
from tuneops.doctor.judging import webhook
from tuneops.doctor.patient import Patient
from tuneops.gitops.errors import GitHubError, NoBranchError
from tuneops.gitops.repository import Repository
from tuneops.services import Services


def look(patient: Patient, services: Services) -> Iterator[Finding]:
    """Whether TuneOps gets in, and what it may do."""
    repository = services.source.repository
    try:
        known = services.github.standing()
    except GitHubError as error:
        yield standing.judge_login(str(error), repository)
        yield skipped("github.permissions", "GitHub does not let TuneOps in", repository)
        return
    yield standing.judge_login("", repository)
    yield standing.judge_permissions(known, repository)


def look_at_webhook(patient: Patient, services: Services) -> Iterator[Finding]:
    """Where webhooks go, and what became of their deliveries."""
    repository = services.source.repository
    try:
        known = services.github.webhooks()
    except GitHubError as error:
        yield skipped("webhook.address", f"can't be looked at: {error}", repository)
        return
    yield from webhook.judge(known, patient.hosts, repository)


def look_at_branch(patient: Patient, services: Services) -> Iterator[Finding]:
    """The branch at GitHub, and what was read of it."""
    source = services.source
    try:
        head = services.github.head()
    except NoBranchError as error:
        yield reading.judge_branch(str(error), source)
        return
    except GitHubError as error:
        where = f"{source.repository}, branch {source.branch}"
        yield skipped("repository.branch", f"can't be looked at: {error}", where)
        return
    yield reading.judge_branch("", source)
    stored = patient.store.read(documents.repository(source.environment), Repository)
    known = stored.value if stored else None
    yield from reading.judge_read(head.commit if head else "", known, source)
