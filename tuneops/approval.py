"""What a person says to a release that waits for approval, as an order that is kept."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import Field

from tuneops import documents
from tuneops.approvals import why_not_without_github
from tuneops.desired import Desired
from tuneops.going_back import RefusedError
from tuneops.names import PROJECT_KEY
from tuneops.orders import Orders
from tuneops.project import Project
from tuneops.release import Phase, Release
from tuneops.rollback import Answer, Order, UnknownProjectError, give_order
from tuneops.rollout.approval_text import what_text
from tuneops.rollout.question import Question, Said
from tuneops.services import Services


class ApprovalOrder(Order):
    """Approve, or reject, what a release waits for; no release: the newest.

    `share`: what is meant in percent, 0 for mirrored requests; None: whatever is asked.
    """

    release: Annotated[int | None, Field(ge=1, lt=2**31, strict=True)] = None
    share: Annotated[int | None, Field(ge=0, le=100, strict=True)] = None
    reject: bool = False


def without_github(
    name: str, order: ApprovalOrder, services: Services, now: datetime, entra: str = ""
) -> Answer:
    """What somebody says of whom GitHub tells nothing, as far as the policy takes that.

    `entra` is the name of who has signed in, empty for who has the function's key.

    Raises:
        UnknownProjectError, RefusedError: it can't be done.
    """
    release = waiting(name, order.release, services)
    if not order.reject and (why := why_not_without_github(services.policy_demand(name), entra)):
        raise RefusedError(why)
    return say(release, order, services, now)


def waiting(name: str, number: int | None, services: Services) -> Release:
    """The newest release of a project, which is what can be approved.

    Raises:
        UnknownProjectError, RefusedError: there is none, or `number` is another one.
    """
    unknown = UnknownProjectError(f"there is no project {name[:80]!r}")
    if not re.fullmatch(PROJECT_KEY, name):
        raise unknown
    if services.store.read(documents.desired(name), Desired) is None:
        raise unknown
    stored = services.store.read(documents.project(name), Project)
    newest = services.release(name, stored.value.current if stored else None)
    if newest is None:
        raise RefusedError(f"{name} has no release yet")
    release = newest.value
    if number is not None and number > release.number:
        raise RefusedError(f"{name} has no release {number}; its newest is {release.number}")
    if number is not None and number < release.number:
        raise RefusedError(
            f"release {number} of {name} is past, nothing was changed: its newest is "
            f"{release.number}, {release.phase}"
        )
    return release


def say(
    release: Release,
    order: ApprovalOrder,
    services: Services,
    at: datetime,
    comment: int | None = None,
) -> Answer:
    """Give the order; the first that is given to a question counts. `at`: when it was said.

    Raises:
        RefusedError: nothing is asked, somebody was faster, or it comes too late.
    """
    question = release.approval
    if release.phase != Phase.SHIFTING or question is None:
        raise RefusedError(
            f"release {release.number} of {release.project} ({release.phase}) waits for no approval"
        )
    if order.share not in (None, question.share):
        raise RefusedError(
            f"release {release.number} of {release.project} asks about "
            f"{what_text(question.share)}, not {what_text(order.share or 0)}"
        )
    said = Said(
        release=release.number,
        share=question.share,
        asked=question.asked,
        approves=not order.reject,
        by=order.by or "somebody",
        at=at,
        reason=order.reason,
        comment=comment,
    )
    if question.answer:
        return _first(release, question.answer, said)
    if question.deadline and at > question.deadline:
        raise RefusedError(
            f"too late: {what_text(question.share)} had to be answered by "
            f"{question.deadline:%Y-%m-%d %H:%M} UTC"
        )
    return _first(release, _kept(release, question, said, services), said)


def _kept(release: Release, question: Question, said: Said, services: Services) -> Said:
    """What the question is answered with: this, unless something else was said before."""

    def change(orders: Orders) -> Orders:
        answered = question.is_met_by(orders.said, release.number)
        return orders if answered else orders.replace(said=said)

    return give_order(release.project, services, change).said or said


def _first(release: Release, first: Said, said: Said) -> Answer:
    """What is answered; the same comment, seen twice, is told the same.

    Raises:
        RefusedError: what was said before is something else.
    """
    what = f"{what_text(said.share)} for release {release.number} of {release.project}"
    same = first == said or (said.comment is not None and first.comment == said.comment)
    if same:
        return Answer(text=f"{what} is {first}", release=release.number)
    if first.approves != said.approves:
        raise RefusedError(f"{what} was {first}: the first answer counts")
    return Answer(text=f"{what} was already {first}", release=release.number)
