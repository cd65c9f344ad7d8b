"""Going back to an earlier release, as people order it: by git, or by a pin until git agrees."""

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tuneops import documents
from tuneops.data.errors import DataUnavailableError
from tuneops.data.prepare import find_source
from tuneops.desired import Desired
from tuneops.gitops.errors import GitHubError
from tuneops.gitops.restoration import ForbiddenError, UnchangedError, by_hand
from tuneops.going_back import RefusedError, choose, only_data, restoration, says_of_data
from tuneops.orders import Orders, Pin, Retry
from tuneops.pinning import mark
from tuneops.policy import violations
from tuneops.project import Project
from tuneops.queue import ProjectRequest
from tuneops.release import Phase, Release
from tuneops.services import Services

Line = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f\u2028\u2029]*$")]
"""What goes into messages, commits and pull requests."""


class UnknownProjectError(Exception):
    """There is no such project."""


class NotProposedError(Exception):
    """GitHub did not take it; `commands` do the same by hand."""

    def __init__(self, message: str, commands: list[str]) -> None:
        super().__init__(message)
        self.commands = commands


class Order(BaseModel):
    """Who orders something, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Line = ""
    reason: Line = ""


class RollbackOrder(Order):
    """What to do, and the release to go back to; none: the newest good one before what is live."""

    action: Literal["propose", "print", "pin", "unpin"] = "propose"
    to: Annotated[int | None, Field(ge=1, lt=2**31, strict=True)] = None


class Answer(BaseModel):
    """What was done, with the commands that do the same by hand where there are such."""

    text: str
    release: int | None = None
    pull_request: str = ""
    commands: list[str] = []


def chosen(name: str, number: int | None, services: Services) -> tuple[Release | None, Release]:
    """The release that is live, None if none is, and the one that is gone back to.

    Raises:
        UnknownProjectError, RefusedError: there is none.
    """
    return _choose(load_project(name, services)[0], number, services)


def propose(name: str, order: RollbackOrder, services: Services) -> Answer:
    """Have a pull request that goes back to a release; with `print` only say how.

    Raises:
        UnknownProjectError, RefusedError: it can't be done.
        NotProposedError: GitHub does not take it.
    """
    project, git = load_project(name, services)
    held = read_orders(name, services).pin
    live, target = _choose(project, order.to or (held.release if held else None), services)
    if met := _why_rejected(project, target):
        raise RefusedError(f"{met}: merging would not bring it back, only --pin does")
    git = _with_data(git, services)
    change = restoration(git, live, target, order.reason)
    commands = by_hand(change, services.source.branch)
    said = says_of_data(git.source, target)
    if order.action == "print":
        return Answer(text=f"{change.title}. {said}", release=target.number, commands=commands)
    try:
        opened = services.github.propose(change)
    except UnchangedError as error:
        raise RefusedError(f"{error}: {only_data(git, target)}") from error
    except ForbiddenError as error:
        raise NotProposedError(f"{error}. --pin works without it", commands) from error
    except GitHubError as error:
        raise NotProposedError(
            f"{error}: try again. --pin works without GitHub", commands
        ) from error
    verb = "is open already" if opened.known else "is open"
    text = f"pull request {opened.number} {verb}: merge it to go back to release {target.number}"
    return Answer(
        text=f"{text}. {said}",
        release=target.number,
        pull_request=opened.url,
        commands=commands,
    )


def pin(name: str, order: RollbackOrder, services: Services, now: datetime) -> Answer:
    """Hold a project at an earlier release until git agrees, or until it is unpinned.

    Raises:
        UnknownProjectError, RefusedError: it can't be done.
    """
    project, git = load_project(name, services)
    orders = read_orders(name, services)
    known, suspended = orders.pin, orders.suspension
    held_up = suspended is not None and suspended.stays(known)
    if known and order.to in (None, known.release) and not held_up:
        return Answer(text=f"{name} is already {mark(known, git)}", release=known.release)
    live, target = _choose(project, order.to, services)
    settled = live and live.number == project.current and not project.held_back
    if live and settled and target.equals(live):
        raise RefusedError(f"release {target.number} is what is live, as release {live.number}")
    if said := violations(services.policy, target.config, target.training, ""):
        raise RefusedError(f"the policy does not allow release {target.number}: {'; '.join(said)}")
    new = Pin(
        id=uuid.uuid4().hex[:12],
        release=target.number,
        by=order.by or "somebody",
        at=now,
        reason=order.reason,
    )
    give_order(name, services, lambda orders: orders.replace(pin=new, ended=""))
    model = f"model {target.model_name}:{target.model_version}"
    text = f"{name} is {mark(new, git)}; {model} goes live without training"
    return Answer(text=text, release=target.number)


def unpin(name: str, order: RollbackOrder, services: Services) -> Answer:
    """Follow git again; what was rolled back stays out.

    Raises:
        UnknownProjectError, RefusedError: it can't be done.
    """
    load_project(name, services)
    known = read_orders(name, services).pin
    if known is None:
        raise RefusedError(f"{name} is not pinned")
    why = f": {order.reason}" if order.reason else ""
    ended = f"unpinned by {order.by or 'somebody'}{why}"

    def change(orders: Orders) -> Orders:
        return orders.replace(pin=None, ended=ended) if orders.pin == known else orders

    give_order(name, services, change)
    return Answer(text=f"{name} is not pinned any more: git is followed again")


def retry(name: str, order: Order, services: Services, now: datetime) -> Answer:
    """Have the newest release tried again that failed, or the one that was rolled back.

    Raises:
        UnknownProjectError, RefusedError: it can't be done.
    """
    project, git = load_project(name, services)
    stored = services.release(name, project.current)
    newest = stored.value if stored else None
    if newest is None:
        raise RefusedError(f"{name} has no release yet")
    failed, held = newest.phase == Phase.FAILED, read_orders(name, services).pin
    if not failed and (held or not _stays_out(project, git, services)):
        more = f"; it is {held}, see --unpin" if held else ""
        raise RefusedError(
            f"release {newest.number} of {name} is {newest.phase}, and nothing was rolled back "
            f"that git still wants: there is nothing to retry{more}"
        )
    again = Retry(release=newest.number, by=order.by or "somebody", at=now)
    give_order(name, services, lambda orders: orders.replace(retry=again))
    what = f"release {newest.number}, which failed," if failed else "what was rolled back"
    return Answer(text=f"{what} is tried again as release {newest.number + 1}")


def load_project(name: str, services: Services) -> tuple[Project, Desired]:
    """A project and what git wants of it.

    Raises:
        UnknownProjectError: there is none.
    """
    unknown = UnknownProjectError(f"there is no project {name[:80]!r}")
    try:
        ProjectRequest(project=name)
    except ValidationError:
        raise unknown from None
    wanted = services.store.read(documents.desired(name), Desired)
    if wanted is None:
        raise unknown
    stored = services.store.read(documents.project(name), Project)
    return stored.value if stored else Project(name=name), wanted.value


def _choose(
    project: Project, number: int | None, services: Services
) -> tuple[Release | None, Release]:
    def load(asked: int | None) -> Release | None:
        stored = services.release(project.name, asked)
        return stored.value if stored else None

    return choose(project, load, number)


def _stays_out(project: Project, git: Desired, services: Services) -> bool:
    """Whether git wants what was rolled back; a pin may have ended since the last look."""
    if project.pin is None:
        return bool(project.held_back)
    return project.rejection(_with_data(git, services)) is not None


def _why_rejected(project: Project, target: Release) -> str:
    return next((e.why for e in project.rejected if e.fingerprint == target.made_of), "")


def _with_data(git: Desired, services: Services) -> Desired:
    """What git wants, with the newest data if it can be looked at."""
    try:
        source = find_source(services.storage, git.config) if git.config else None
    except DataUnavailableError:
        return git
    return git.replace(source=source)


def read_orders(name: str, services: Services) -> Orders:
    """What people have ordered for the project until now."""
    stored = services.store.read(documents.orders(name), Orders)
    return stored.value if stored else Orders()


def give_order(name: str, services: Services, change: Callable[[Orders], Orders]) -> Orders:
    """Change the orders, and have the project looked at; gives what is ordered now.

    Raises:
        UnreadableError: what is ordered is of another version; it is left as it is.
    """
    read_orders(name, services)
    orders = services.store.update(
        documents.orders(name), Orders, lambda known: change(known or Orders())
    )
    services.queue.send(ProjectRequest(project=name))
    return orders
