"""Suspending a project and resuming it, as people order it beside git."""

import uuid
from datetime import datetime

from tuneops.going_back import RefusedError
from tuneops.names import is_preview
from tuneops.orders import Orders, Suspension
from tuneops.rollback import Answer, Order, give_order, load_project, read_orders
from tuneops.services import Services


def suspend(name: str, order: Order, services: Services, now: datetime) -> Answer:
    """Have everything of a project stay as it is until it is resumed; the first order stands.

    Raises:
        UnknownProjectError, RefusedError: it can't be done.
    """
    load_project(name, services)
    if is_preview(name):
        raise RefusedError(f"{name} is a preview, which ends by itself: close its pull request")
    new = Suspension(
        id=uuid.uuid4().hex[:12], by=order.by or "somebody", at=now, reason=order.reason
    )

    def change(orders: Orders) -> Orders:
        known = orders.suspension
        if known and known.stays(orders.pin):
            return orders
        return orders.replace(suspension=new, resumed="" if known else orders.resumed)

    known = give_order(name, services, change).suspension
    if known and known != new:
        return Answer(text=f"{name} is already {known}")
    return Answer(text=f"{name} is {known or new}; what is live serves on")


def resume(name: str, order: Order, services: Services) -> Answer:
    """Have a project go on; where nobody has suspended it, or somebody was faster, it says so.

    Raises:
        UnknownProjectError, RefusedError: git suspends it.
    """
    _, git = load_project(name, services)
    known = read_orders(name, services)
    if known.suspension is None:
        if git.standstill:
            raise RefusedError(
                f"{name} is suspended by git: take 'suspend: true' out of {git.path} to have it go "
                "on"
            )
        last = f"; it was {known.resumed}" if known.resumed else ""
        return Answer(text=f"{name} is not suspended{last}")
    why = f": {order.reason}" if order.reason else ""
    resumed = f"resumed by {order.by or 'somebody'}{why}"

    def change(orders: Orders) -> Orders:
        if orders.suspension != known.suspension:
            return orders
        return orders.replace(suspension=None, resumed=resumed)

    after = give_order(name, services, change)
    if after.suspension:
        return Answer(text=f"{name} was suspended anew meanwhile: it is {after.suspension}")
    still = f"; it stays {git.standstill}, until 'suspend: true' is taken out there"
    return Answer(text=f"{name} is {after.resumed}{still if git.standstill else ''}")
