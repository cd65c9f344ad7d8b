"""Reviewing a pull request: what merging it would do, as a comment and a status on its head."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from tuneops import documents
from tuneops.azureml.errors import MissingRoleError, RefusedError, UnavailableError
from tuneops.behaviour.sets import missing
from tuneops.data.errors import DataUnavailableError
from tuneops.data.prepare import find_source
from tuneops.desired import Desired
from tuneops.events.effect import Led
from tuneops.gitops import authority, policy_text, review_text
from tuneops.gitops.errors import TooManyError
from tuneops.gitops.open_pulls import Reviews, review_of
from tuneops.gitops.repository import Repository, changed_files, read_commit
from tuneops.gitops.review_text import Finding
from tuneops.gitops.snapshot import Proposal
from tuneops.outcome import outcome, removal
from tuneops.pinning import still_rejected
from tuneops.policy import FILE as POLICY_FILE
from tuneops.policy import Policy
from tuneops.previews import keeping
from tuneops.project import Project
from tuneops.prospect import prospect
from tuneops.queue import PullRequestRequest
from tuneops.reach import weigh
from tuneops.release import Release
from tuneops.services import Services

CONTEXT = "tuneops/plan"
MAX_PROJECTS = 50
"""So many of a pull request are looked at, since each takes some seconds of calls to Azure."""

log = logging.getLogger(__name__)


def review_pull_request(request: PullRequestRequest, services: Services) -> Led:
    """Say on the pull request what merging it would do in an environment, and have its previews.

    Doing it again changes the same comment, so the last look is the one that is read. One that
    Azure could not answer is not remembered, so that a resync has it done again.

    Raises:
        NoSourceError: the settings have no source for the environment.
        GitHubError: it can't be read or commented on now.
    """
    environment = request.environment
    services = services.of(environment)
    try:
        proposal = services.github.proposal(request.number)
    except TooManyError as error:
        _refuse(request.number, str(error), services)
        return Led("refused", str(error))
    if proposal is None:
        log.info("pull request %d is not open to %s", request.number, services.source.origin)
        keeping.close(request.number, services)
        return Led("acted", f"it is not open to {services.source.origin}: its previews end")
    before = _repository(services)
    after, own = _proposed(before, proposal, services)
    errors = [
        error
        for path, state in after.files.items()
        if path in proposal.touched
        for error in state.errors
    ]
    findings = [_finding(each, after.policy, services) for each in own[:MAX_PROJECTS]]
    more, reached = _of_policy(before.policy, after.policy, proposal, own, services)
    more = [*review_text.not_looked_at(len(own) - len(findings)), *more]
    text = review_text.comment(proposal.head, errors, findings, environment, more)
    silent = not errors and not findings and not more
    mark = review_text.mark(environment)
    services.github.comment(proposal.number, mark, text, only_update=silent)
    _set_status(proposal.head, *review_text.verdict(errors, findings, reached), services)
    settled = keeping.review_previews(proposal, own, before.policy, services, broken=bool(errors))
    if not any(finding.passing for finding in findings):
        _remember(proposal.number, proposal.head, before.policy, services, settled=settled)
    return Led("acted", f"commit {proposal.head[:12]} has its review")


def _refuse(number: int, why: str, services: Services) -> None:
    """Say that a pull request has too many files to be looked at."""
    head = services.github.proposed(number)
    _set_status(head, "failure", why, services)
    _remember(number, head, _repository(services).policy, services)


def _repository(services: Services) -> Repository:
    environment = services.environment
    stored = services.store.read(documents.repository(environment), Repository)
    return stored.value if stored else Repository(environment=environment)


def _remember(
    number: int, head: str, policy: Policy, services: Services, *, settled: bool = True
) -> None:
    """Remember that a pull request was reviewed as it is now."""
    what = review_of(head, policy)

    def change(known: Reviews | None) -> Reviews:
        reviews = known or Reviews()
        remember = reviews.reviewed_as if settled else reviews.left_open
        return remember(number, what)

    services.store.update(documents.reviews(services.environment), Reviews, change)


def _of_policy(
    now: Policy, then: Policy, proposal: Proposal, own: list[Desired], services: Services
) -> tuple[list[str], str]:
    """What the comment says of the policy, and the status of what another one reaches."""
    names = [each.project for each in own]
    touched = POLICY_FILE in proposal.touched
    bound = policy_text.who_may_merge(now, then, names[:MAX_PROJECTS], touches_policy=touched)
    said = list(bound)
    if now == then or not touched:
        return said, ""
    weighed = weigh(now, then, names, services, datetime.now(UTC))
    return [*said, *policy_text.reach(weighed)], policy_text.said(weighed)


def _proposed(
    before: Repository, proposal: Proposal, services: Services
) -> tuple[Repository, list[Desired]]:
    """The repository as merging would leave it, and what the pull request itself changes.

    The tracked branch may have moved on since it was read last: that is none of its doing.
    """
    others = {path: state for path, state in before.refused.items() if path not in proposal.touched}
    snapshot = authority.without(before, proposal.snapshot, others)
    changed = changed_files(before, snapshot)
    contents = services.github.contents(file for file in snapshot.files if file.path in changed)
    after, desired = read_commit(before, snapshot, contents, datetime.now(UTC))
    return after, [each for each in desired if each.path in proposal.touched]


def _set_status(commit: str, state: str, description: str, services: Services) -> None:
    environment = services.environment
    context = f"{CONTEXT}/{environment}" if environment else CONTEXT
    services.github.set_status(
        commit, state=state, context=context, description=description, url=""
    )


def _finding(desired: Desired, policy: Policy, services: Services) -> Finding:
    """What becomes of one project, by the policy as the pull request leaves it."""
    stored = services.store.read(documents.project(desired.project), Project)
    project = stored.value if stored else Project(name=desired.project)
    current = services.release(project.name, project.current)
    newest = current.value if current else None
    notes = tuple(_notes(desired, project, services))
    about = Finding(project=desired.project, path=desired.path, notes=notes)
    config = desired.config
    if config is None:
        return replace(about, removal=_removal(desired, newest, services))
    if unknown := services.unknown_channel(config):
        return replace(about, problem=unknown)
    if newest:
        project = project.remember(newest)
    try:
        seen = prospect(services.workspace, desired, config, project, newest, [policy])
    except (MissingRoleError, RefusedError) as error:
        return replace(about, problem=str(error))
    except UnavailableError as error:
        return replace(about, problem=str(error), passing=True)
    if seen.forbidden:
        return replace(about, problem="; ".join(seen.forbidden))
    before = (newest.config, newest.training) if newest else (None, None)
    found = outcome(config, seen.plan, *before)
    return replace(about, outcome=found, plan=seen.plan, data=seen.data, forecast=seen.forecast)


def _notes(desired: Desired, project: Project, services: Services) -> Iterator[str]:
    """What keeps the project from becoming what a merge says."""
    if project.pin:
        end = f"tuneops rollback {project.name} --unpin"
        yield f"{project.pin}: merging this takes effect when the pin ends, such as by '{end}'"
    if project.suspension:
        yield f"{project.suspension}: merging this takes effect when it is resumed"
    if desired.config is None:
        return
    try:
        yield from missing(services.storage, desired.config.behaviour)
    except DataUnavailableError as error:
        yield f"whether the evaluation sets are there can't be told: {error}"
    if not project.rejected:
        return
    try:
        source = find_source(services.storage, desired.config)
    except DataUnavailableError as error:
        yield f"whether it was rolled back before can't be told: {error}"
        return
    if met := project.rejection(desired.replace(source=source)):
        yield still_rejected(project.name, met.why)


def _removal(desired: Desired, newest: Release | None, services: Services) -> str:
    """What becomes of what serves when the config is removed."""
    known = services.store.read(documents.desired(desired.project), Desired)
    return removal(known.value.config if known else newest.config if newest else None)
