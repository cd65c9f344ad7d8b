"""Having the previews that open pull requests may have, and no others.

What a pull request asks for is written into the register first, then into what is desired of the
preview, which is put on the queue last: after a crash the review is done again, and ends in the
same place.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from tuneops import documents
from tuneops.config import ProjectConfig
from tuneops.data.errors import DataUnavailableError
from tuneops.data.prepare import find_source
from tuneops.data.settings import UploadedData
from tuneops.desired import Desired
from tuneops.gitops.snapshot import Proposal
from tuneops.names import preview_key
from tuneops.policy import Policy
from tuneops.previews import judgement, text, wanted
from tuneops.previews.judgement import Applicant
from tuneops.previews.reading import read_register
from tuneops.previews.register import Entry, Register
from tuneops.previews.terms import Terms
from tuneops.queue import ProjectRequest, PullRequestRequest
from tuneops.services import Services

NOT_ASKED = "the pull request asks for none any more"
MAX_PER_PULL = 5
"""So many projects of a pull request get a preview, by their names."""

Change = Callable[[Register], Register]


def review_previews(
    proposal: Proposal, own: Sequence[Desired], policy: Policy, services: Services, *, broken: bool
) -> bool:
    """Have the previews of an open pull request that asks for `own`, by the policy in force.

    While a file is `broken`, what there is stays. Gives whether all is settled.

    Raises:
        GitHubError: it can't be asked or told now.
    """
    wanting = [(each, each.config) for each in own if each.config and each.config.preview_hours]
    wanting = sorted(wanting, key=lambda pair: pair[0].project)[:MAX_PER_PULL]
    asked = {preview_key(each.project, proposal.number): (each, config) for each, config in wanting}
    there = read_register(services.store, services.environment).of_pull(proposal.number)
    for key in () if broken else sorted(set(there) - asked.keys()):
        _end(key, NOT_ASKED, services)
    if not asked:
        return True
    applicant, settled = _applicant(proposal, services), True
    for key, (desired, config) in asked.items():
        tracked = _tracked(desired.project, services)
        why = judgement.refusal(desired.project, config, tracked, policy, applicant)
        settled = settled and why != judgement.NOT_TOLD
        if why:
            _refuse(key, proposal.number, why, services)
        else:
            _ask(key, proposal, desired, config, tracked, policy, services)
    return settled


def close(number: int, services: Services) -> None:
    """Take down what is there for a pull request that is not open to the tracked branch any more.

    Raises:
        GitHubError: it can't be asked now whether it was merged.
    """
    keys = read_register(services.store, services.environment).of_pull(number)
    if not keys:
        return
    merged = services.github.was_merged(number)
    why = f"pull request {number} was {'merged' if merged else 'closed'}"
    for key in keys:
        _end(key, why, services, closed=True, merged=merged)
    serve_next(services)


def look_again(heads: Mapping[int, str], services: Services) -> None:
    """Make up for events that were lost or came late: `heads` are those of what is open.

    What is not open is closed, what was asked for at another commit is asked for anew, and what is
    over is taken down.
    """
    register = read_register(services.store, services.environment)
    for number in sorted(register.outdated(heads)):
        services.queue.send(PullRequestRequest(environment=services.environment, number=number))
    for key in register.ending(services.now()):
        services.queue.send(ProjectRequest(project=key))
    serve_next(services)


def serve_next(services: Services) -> None:
    """Have the pull request looked at whose turn it is, if a place is free."""
    register = read_register(services.store, services.environment)
    if not register.entries:
        return
    number = register.next_waiting(judgement.most(services.policy))
    if number is not None:
        services.queue.send(PullRequestRequest(environment=services.environment, number=number))


def _applicant(proposal: Proposal, services: Services) -> Applicant:
    origin, github = proposal.origin, services.github
    return Applicant(
        author=origin.author,
        own=origin.repository.lower() == services.source.repository.lower(),
        may_write=partial(github.may_write, origin.author),
        pushers=partial(github.pushers, origin.branch, proposal.head),
    )


def _tracked(project: str, services: Services) -> ProjectConfig | None:
    """The project's config as it was taken from the tracked branch."""
    stored = services.store.read(documents.desired(project), Desired)
    return stored.value.config if stored else None


def _refuse(key: str, number: int, why: str, services: Services) -> None:
    known = read_register(services.store, services.environment).entries.get(key)
    if known and known.has_place:
        _end(key, why, services)
        return
    if known:
        _change(partial(_ended, key=key, why=why), services)
    services.github.comment(number, text.mark(key), text.refused(key, why))


def _ask(
    key: str,
    proposal: Proposal,
    desired: Desired,
    config: ProjectConfig,
    tracked: ProjectConfig | None,
    policy: Policy,
    services: Services,
) -> None:
    now, most = services.now(), judgement.most(policy)
    entry = Entry(
        number=proposal.number,
        head=proposal.head,
        hours=judgement.hours(config, tracked, policy),
        data_path=config.data.path if isinstance(config.data, UploadedData) else "",
        since=now,
        begun=now,
    )
    before = read_register(services.store, services.environment).entries.get(key)
    register = _change(lambda known: known.asked(key, entry, most), services)
    placed = register.entries[key]
    if placed.state == "waits":
        said = text.waits(key, register, most)
        services.github.comment(proposal.number, text.mark(key), said)
    elif placed.state == "ending":
        _end(key, placed.why, services)
    elif placed.state == "on":
        terms = Terms(number=proposal.number, until=placed.until)
        if before is None or not before.has_place:
            missing = _missing_data(config, services)
            cost = text.cost_an_hour(config, [policy])
            shown = f" It costs {cost} an hour besides the training." if cost else ""
            said = text.begun(key, placed, shown, missing)
            services.github.comment(proposal.number, text.mark(key), said)
        asked = wanted.preview_of(desired, config, tracked, proposal.origin.author, terms)
        services.store.update(
            documents.desired(key), Desired, lambda known: wanted.remembered(known, asked)
        )
        services.queue.send(ProjectRequest(project=key))


def _missing_data(config: ProjectConfig, services: Services) -> str:
    """The folder where its training data is missing, empty if it is there."""
    if not isinstance(config.data, UploadedData):
        return ""
    try:
        return "" if find_source(services.storage, config) else config.data.path
    except DataUnavailableError:
        return ""


def _end(
    key: str, why: str, services: Services, *, closed: bool = False, merged: bool = False
) -> None:
    """Let nobody want a preview any more; the reconciler takes down what is there."""
    _change(partial(_ended, key=key, why=why, closed=closed, merged=merged), services)
    path = documents.desired(key)
    if stored := services.store.read(path, Desired):
        services.store.update(
            path,
            Desired,
            lambda known: wanted.ended(known or stored.value, why, closed=closed, merged=merged),
        )
    services.queue.send(ProjectRequest(project=key))


def _ended(
    register: Register, key: str, why: str, *, closed: bool = False, merged: bool = False
) -> Register:
    return register.ended(key, why, closed=closed, merged=merged)


def _change(change: Change, services: Services) -> Register:
    path = documents.previews(services.environment)
    return services.store.update(path, Register, lambda known: change(known or Register()))
