"""What a project follows: git, or in its place the release to which people have pinned it."""

import logging
from dataclasses import dataclass

from tuneops import documents
from tuneops.data.errors import DataUnavailableError
from tuneops.data.prepare import find_source
from tuneops.desired import Desired
from tuneops.held import Held
from tuneops.names import is_preview
from tuneops.notify import pins
from tuneops.orders import Orders, Pin
from tuneops.pinning import agrees, mark, pinned, still_rejected
from tuneops.release import Phase, Release
from tuneops.services import Services
from tuneops.suspension import tell_of_suspension

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Followed:
    """What is desired: what `git` wants with the newest data, or what the `pin` holds instead.

    `held_back` says of what git wants why it is not acted on, if so.
    """

    git: Desired
    desired: Desired
    held_back: str = ""
    pin: Pin | None = None


def read_orders(project: str, services: Services) -> Orders:
    """What people have ordered; no pin and no suspension holds a preview beyond its time."""
    stored = services.store.read(documents.orders(project), Orders)
    orders = stored.value if stored else Orders()
    return orders.replace(pin=None, suspension=None) if is_preview(project) else orders


def follow(held: Held, orders: Orders, git: Desired) -> Followed:
    """What is desired, of what git and people want; a pin that has served its time ends.

    Raises:
        DataError: there can be no data.
        DataUnavailableError: what data there is can't be said now, and it matters.
    """
    target = held.load_release(orders.pin.release) if orders.pin else None
    pin = orders.pin if target else None
    _note_pin(held, pin, orders.ended, git)
    git = _with_data(git, held.services, needed=pin is None)
    if pin and target:
        desired = pinned(git, target.value)
        if not _has_served_its_time(pin, held, git, desired):
            return Followed(git, desired, mark(pin, git), pin)
        _end(pin, held, git)
    met = held.project.rejection(git)
    return Followed(git, git, still_rejected(git.project, met.why) if met else "")


def note_suspension(held: Held, orders: Orders) -> None:
    """Remember which suspension is ordered; tell of it, and of the end of the one before."""
    before = held.project.suspension
    if before == orders.suspension:
        return
    if held.release:
        held.save_release(tell_of_suspension(held.release, before, orders, held.clock()))
    held.save_project(held.project.replace(suspension=orders.suspension))


def tell_pinned(held: Held, release: Release, followed: Followed) -> Release:
    """The newest release with word of the pin for each commit that is not acted on."""
    pin = held.project.pin
    if pin is None or release.number != held.project.current:
        return release
    return pins.pinned(release, pin, followed.held_back, held.clock(), followed.git.commit)


def _has_served_its_time(pin: Pin, held: Held, git: Desired, desired: Desired) -> bool:
    """Whether what the pin asks for is live and git wants the same by now."""
    release = held.release
    return (
        release is not None
        and release.phase == Phase.LIVE
        and held.project.live == release.number
        and pin.release in (release.number, release.adopts)
        and agrees(git, desired)
    )


def _end(pin: Pin, held: Held, git: Desired) -> None:
    """Take back this pin, which git agrees with; one that was given meanwhile stays."""
    why = f"{git.path} at {git.commit[:8]} agrees"
    if held.release:
        text, now = f"{why} with release {held.release.number}, which is live", held.clock()
        told = pins.unpinned(held.release, pin, text, now, git.commit)
        held.save_release(pins.live_again(told, pin, text, now, git.commit))

    def change(known: Orders | None) -> Orders:
        known = known or Orders()
        return known.replace(pin=None, ended=why) if known.pin == pin else known

    path = documents.orders(held.request.project)
    orders = held.services.store.update(path, Orders, change)
    _note_pin(held, orders.pin, orders.ended, git)


def _note_pin(held: Held, pin: Pin | None, ended: str, git: Desired) -> None:
    """Remember which pin is followed, and tell of the end of the one that was."""
    before = held.project.pin
    if before == pin:
        return
    if before and pin is None and held.release:
        told = pins.unpinned(held.release, before, ended, held.clock(), git.commit)
        held.save_release(told)
    held_back = held.project.held_back if pin else ""
    held.save_project(held.project.replace(pin=pin, held_back=held_back))


def _with_data(git: Desired, services: Services, *, needed: bool) -> Desired:
    """What git wants with the newest data; a pin can do without."""
    if git.source is not None or git.config is None:
        return git
    try:
        return git.replace(source=find_source(services.storage, git.config))
    except DataUnavailableError as error:
        if needed:
            raise
        log.warning("project %s: %s", git.project, error)
        return git
