"""What may be ordered of a project now, by whom, and why not. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from tuneops.approvals import Demand, why_not_without_github
from tuneops.desired import Desired
from tuneops.names import is_preview
from tuneops.orders import Orders
from tuneops.page.access import OPERATOR, Visitor
from tuneops.project import Project
from tuneops.release import Phase, Release
from tuneops.rollout.approval_text import what_text

ActionName = Literal["retry", "approve", "reject", "rollback", "unpin", "suspend", "resume"]
CONFIRMED: tuple[ActionName, ...] = ("rollback", "suspend")
"""What is asked back before it is done."""
DONE: dict[str, str] = {
    "retry": "It is tried again.",
    "approve": "It is approved.",
    "reject": "It is rejected.",
    "rollback": "A pull request goes back: merge it to have it done.",
    "pin": "It is pinned and goes back at once.",
    "unpin": "It is not pinned any more: git is followed again.",
    "suspend": "It is suspended; what is live serves on.",
    "resume": "It goes on.",
}
"""What is said of an order after it was taken; the address says which by its name."""


@dataclass(frozen=True)
class Standing:
    """How a project stands: what its documents say."""

    project: Project
    desired: Desired
    orders: Orders = field(default_factory=Orders)
    newest: Release | None = None
    demand: Demand = field(default_factory=Demand)


@dataclass(frozen=True)
class Offer:
    """An order that makes sense now. `why_not` says why this visitor may not give it, if so.

    `about` says what it is about, `fields` what the form sends beside what people write.
    """

    action: ActionName
    label: str
    about: str
    why_not: str = ""
    fields: tuple[tuple[str, int], ...] = ()
    danger: bool = False

    @property
    def confirmed(self) -> bool:
        """Whether it is asked back first."""
        return self.action in CONFIRMED


def offers(standing: Standing, visitor: Visitor) -> tuple[Offer, ...]:
    """What may be ordered now."""
    return tuple(_offers(standing, visitor, why_not_act(visitor)))


def why_not_act(visitor: Visitor) -> str:
    """Why somebody may order nothing here, empty if they may."""
    if visitor.may_act:
        return ""
    if visitor.by == "key":
        return "A function key does not say who you are: use the command 'tuneops', or sign in."
    return f"This takes the role {OPERATOR}, which {visitor.name} has not."


def _offers(of: Standing, visitor: Visitor, why_not: str) -> Iterator[Offer]:
    newest, pin = of.newest, of.orders.pin
    if newest and newest.phase == Phase.SHIFTING and newest.approval and newest.approval.is_open:
        yield from _answers(of, newest, visitor, why_not)
    if newest and (newest.phase == Phase.FAILED or (of.project.held_back and not pin)):
        failed = newest.phase == Phase.FAILED
        what = f"Release {newest.number} failed" if failed else "It was rolled back"
        yield Offer("retry", "Try again", f"{what}: make a release of the same again.", why_not)
    if pin:
        yield Offer("unpin", "Unpin", f"It is {pin}.", why_not)
    if of.project.live and newest and newest.number > 1 and not is_preview(of.project.name):
        yield Offer(
            "rollback", "Roll back", "Have an earlier release serve again.", why_not, danger=True
        )
    yield from _standstill(of, why_not)


def _answers(of: Standing, newest: Release, visitor: Visitor, why_not: str) -> Iterator[Offer]:
    question = newest.approval
    if question is None:
        return
    entra = visitor.name if visitor.by == "entra" else ""
    fields = (("release", newest.number), ("share", question.share))
    what = f"Release {newest.number} waits for approval of {what_text(question.share)}."
    not_theirs = why_not or why_not_without_github(of.demand, entra)
    yield Offer("approve", "Approve", what, not_theirs, fields)
    yield Offer("reject", "Reject", "It fails, and its traffic goes back.", why_not, fields, True)


def _standstill(of: Standing, why_not: str) -> Iterator[Offer]:
    known = of.orders.suspension
    if known:
        by_git = of.desired.standstill
        more = f" It is {by_git} as well, which a change of the file ends." if by_git else ""
        yield Offer("resume", "Resume", f"It is {known}.{more}", why_not)
    if is_preview(of.project.name) or (known and known.stays(of.orders.pin)):
        return
    yield Offer(
        "suspend",
        "Suspend",
        "Nothing is begun, changed or taken down; what is live serves on.",
        why_not,
        danger=True,
    )
