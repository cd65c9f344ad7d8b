"""What people say in comments on a merged pull request: each command is followed and answered once.

A comment counts as GitHub has it, by whom GitHub says it is. What was edited does not: whoever may
write to a repository may edit what others have written there. An event only says where to look.
"""

import logging
from datetime import timedelta

from tuneops import approval, documents
from tuneops.approval import ApprovalOrder
from tuneops.approvals import why_not
from tuneops.asked import Asking, Heard
from tuneops.audit.entry import Caller, make_entry
from tuneops.audit.journal import audited
from tuneops.events.effect import Led
from tuneops.gitops.approvers import HiddenError
from tuneops.gitops.commands import Command, parse
from tuneops.gitops.comments import OURS, Comment
from tuneops.gitops.errors import GitHubError
from tuneops.gitops.review_text import code
from tuneops.going_back import RefusedError
from tuneops.names import environment_of
from tuneops.queue import CommentRequest
from tuneops.rollback import Answer, UnknownProjectError
from tuneops.rollout.approval_text import about
from tuneops.services import NoSourceError, Services
from tuneops.store import BusyError, UnreadableError

MAX_ANSWERS = 20
"""So many commands are followed at once; the others the next time."""
MAX_REMEMBERED = 500
SKEW = timedelta(seconds=30)
"""So far GitHub's clock may be behind."""
BUSY_SECONDS = 3

log = logging.getLogger(__name__)


def hear_one(request: CommentRequest, services: Services) -> Led | None:
    """Follow the command of one comment, of which an event told.

    Gives what came of it; None while another worker is at it, after whom the request comes again.

    Raises:
        NoSourceError: the settings have no source for the environment.
        GitHubError: it can't be done now.
    """
    services = services.of(request.environment)
    comment = services.github.comment_of(request.number, request.comment)
    if comment is None:
        return Led("ignored", "the comment has gone")
    try:
        _Hearing(request.number, services).hear((comment,))
    except BusyError:
        services.queue.send(request, BUSY_SECONDS)
        return None
    return Led("acted", "the comment has its answer")


def hear_all(pull: int, services: Services) -> None:
    """Follow the commands of all comments since the pull request was first asked.

    Raises:
        GitHubError: it can't be done now.
        BusyError: somebody else is at it.
    """
    _Hearing(pull, services).hear_new()


class _Hearing:
    """The comments of one pull request; only one worker at a time answers there."""

    def __init__(self, pull: int, services: Services) -> None:
        self._pull = pull
        self._services = services
        repository = services.source.repository
        stored = services.store.read(documents.asking(repository, pull), Asking)
        self._asking = (stored.value if stored else Asking()).questions
        self._path = documents.heard(repository, pull)

    def hear(self, comments: tuple[Comment, ...], etag: str = "") -> None:
        """Answer those that were not; with `etag` once all of them are.

        One that can't be answered now keeps no other from being answered.

        Raises:
            GitHubError: one could not be answered.
            BusyError: somebody else is at it.
        """
        failed: GitHubError | None = None
        with self._services.store.lease(self._path, Heard()) as lease:
            stored = self._services.store.read(self._path, Heard)
            known = stored.value if stored else Heard()
            commands = [(each, parse(each.body or "")) for each in comments if each.is_by_people]
            new = [(c, order) for c, order in commands if order and c.id not in known.comments]
            for comment, order in new[:MAX_ANSWERS]:
                try:
                    self._follow(comment, order)
                except GitHubError as error:
                    failed = error
                    continue
                answered = (*known.comments, comment.id)[-MAX_REMEMBERED:]
                known = known.replace(comments=answered)
                stored = self._services.store.write(
                    self._path, known, stored.etag if stored else None, lease
                )
            whole = etag and failed is None and len(new) <= MAX_ANSWERS
            if stored and whole and known.etag != etag:
                heard = known.replace(etag=etag)
                self._services.store.write(self._path, heard, stored.etag, lease)
        if failed:
            raise failed

    def hear_new(self) -> None:
        """Answer those that were written since somebody was asked, unless all were before."""
        if not self._asking:
            return
        stored = self._services.store.read(self._path, Heard)
        since = min(each.at for each in self._asking.values()) - SKEW
        etag = stored.value.etag if stored else ""
        page = self._services.github.comments_since(self._pull, since, etag)
        if page:
            self.hear(page.comments, page.etag)

    def _follow(self, comment: Comment, order: Command) -> None:
        """Do what is ordered and say what came of it.

        Outsiders are not told why nothing did, as words cost some. That somebody is one is how it
        looks from here: members of an organization may hide that, and approve.
        """
        github, (said, done) = self._services.github, self._said(comment, order)
        if comment.is_outsiders and not done:
            self._shake_head(comment)
            return
        log.info("comment %d of pull request %d: %s", comment.id, self._pull, said)
        mark = f"{OURS}answer {comment.id} -->"
        github.comment(self._pull, mark, f"{mark}\n@{comment.login} {code(said)}")

    def _shake_head(self, comment: Comment) -> None:
        try:
            self._services.github.react(comment.id, "-1")
        except GitHubError as error:
            log.warning("comment %d is left alone: %s", comment.id, error)

    def _said(self, comment: Comment, order: Command) -> tuple[str, bool]:
        """What is answered, and whether the order was followed."""
        if comment.edited:
            return "this comment was edited: write a new one", False
        if order.problem:
            return order.problem, False
        try:
            return self._do(comment, order).text, True
        except (RefusedError, UnknownProjectError, HiddenError, UnreadableError) as error:
            return f"nothing was done: {error}", False
        except NoSourceError:
            return "nothing was done: the project is not looked after any more", False

    def _do(self, comment: Comment, order: Command) -> Answer:
        name = order.project or self._only_one()
        asked = self._asking.get(name)
        if asked is None:
            raise RefusedError(f"{name} asks for nothing here")
        if order.release not in (None, asked.release):
            raise RefusedError(
                f"release {order.release} of {name} does not ask here, release {asked.release} does"
            )
        services = self._services.of(environment_of(name))
        entry = make_entry(
            f"comment-{comment.id}",
            name,
            order.verb,
            Caller(comment.login, "github", "comment"),
            comment.created_at,
            what=about(asked.release, order.share),
        )
        return audited(
            entry, services.store, lambda: self._say(comment, order, name, services), (HiddenError,)
        )

    def _say(self, comment: Comment, order: Command, name: str, services: Services) -> Answer:
        release = approval.waiting(name, self._asking[name].release, services)
        if release.approval and comment.created_at < release.approval.asked - SKEW:
            raise RefusedError("this was written before it was asked: write it again")
        self._see_who(comment.login, name, services, rejects=order.verb == "reject")
        said = ApprovalOrder(by=comment.login, share=order.share, reject=order.verb == "reject")
        return approval.say(release, said, services, comment.created_at, comment.id)

    def _only_one(self) -> str:
        """The project that is meant where none is named: the one that asks, or did."""
        waits = [name for name in self._asking if self._waits(name)] or list(self._asking)
        if len(waits) == 1:
            return waits[0]
        if not waits:
            raise RefusedError("no release waits for approval here")
        raise RefusedError(f"several ask here, name one of them: {', '.join(sorted(waits))}")

    def _waits(self, name: str) -> bool:
        try:
            services = self._services.of(environment_of(name))
            release = approval.waiting(name, self._asking[name].release, services)
        except (RefusedError, UnknownProjectError, NoSourceError, UnreadableError):
            return False
        return release.approval is not None and release.approval.is_open

    def _see_who(self, login: str, name: str, services: Services, *, rejects: bool) -> None:
        """See that this person may; whoever may write may reject.

        Raises:
            RefusedError: they may not.
        """
        if rejects and services.github.approver(login, ()).writes:
            return
        demand = services.policy_demand(name)
        names = () if demand.by else tuple(filter(None, (name, environment_of(name))))
        approver = services.github.approver(login, names)
        author = self._services.github.author(self._pull)
        if why := why_not(approver, demand, author):
            raise RefusedError(f"{login} may not do that: {why}")
