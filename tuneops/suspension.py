"""What is desired of a project while people have it stand still. Pure."""

from datetime import datetime

from tuneops.desired import Desired
from tuneops.notify import following, messages
from tuneops.orders import Orders, Pin, Suspension
from tuneops.release import Release


def stays_as_it_is(desired: Desired, suspension: Suspension | None, pin: Pin | None) -> Desired:
    """What is desired, or that all of it stays as it is; `pin` is the one in force."""
    holds = suspension is not None and suspension.stays(pin)
    return desired.replace(suspended=str(suspension)) if holds else desired


def tell_of_suspension(
    release: Release, before: Suspension | None, orders: Orders, at: datetime
) -> Release:
    """The release with word of the suspension that is ordered, and of the end of the one before.

    Nobody has resumed what was suspended anew because of a pin in between.
    """
    now = orders.suspension
    if before and (orders.resumed or now is None):
        release = messages.tell(
            release,
            "resumed",
            orders.resumed or "it is not suspended any more",
            at,
            occasion=before.id,
            why=str(before),
            following=following.resumed(),
        )
    if now:
        release = messages.tell(
            release,
            "suspended",
            str(now),
            at,
            occasion=now.id,
            why=f"ordered by {now.by}",
            following=following.suspended(release.project),
        )
    return release
