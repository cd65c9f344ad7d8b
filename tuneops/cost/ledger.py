"""Reservations: deployments that are about to be created and may not be seen yet. Pure.

Azure lists a deployment some seconds after it was asked for. Until then its reservation counts, so
that two projects never take the same room. A reservation holds for `HOLDS`; its owner creates the
deployment while it is `FRESH`, else renews it first. So whatever was created is to be seen long
before its reservation ends, and of what never was nothing is left to clear away.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from tuneops.cost.machines import Deployed
from tuneops.document import Document

FRESH = timedelta(minutes=5)
HOLDS = timedelta(minutes=20)
"""Longer than a call of a function may last, after `FRESH`."""


class Reservation(Document):
    """Room for one deployment."""

    deployment: Deployed
    at: datetime


class Ledger(Document):
    """The reservations of an environment: one for each project, which deploys one at a time."""

    reservations: dict[str, Reservation] = {}

    def has(self, wanted: Deployed, now: datetime) -> bool:
        """Whether room for just this deployment is reserved, and fresh enough to rely on."""
        found = self.reservations.get(wanted.project)
        return found is not None and found.deployment == wanted and now - found.at < FRESH

    def reserve(self, wanted: Deployed, now: datetime) -> "Ledger":
        """The ledger with room for this deployment, and without what holds no more."""
        held = {
            project: each for project, each in self.reservations.items() if now - each.at < HOLDS
        }
        return Ledger(reservations={**held, wanted.project: Reservation(deployment=wanted, at=now)})

    def beside(
        self,
        wanted: Deployed,
        seen: Iterable[Deployed],
        own: Iterable[Deployed],
        now: datetime,
    ) -> list[Deployed]:
        """All that counts beside `wanted`: what is reserved, and what is there whatever it is for.

        `own` is what stands behind its own endpoint, which is known better than what was `seen`
        of it in the list.
        """
        counted = {
            each.deployment.key: each.deployment
            for project, each in self.reservations.items()
            if project != wanted.project and now - each.at < HOLDS
        }
        endpoint = wanted.endpoint.lower()
        counted |= {each.key: each for each in seen if each.endpoint.lower() != endpoint}
        counted |= {each.key: each for each in own}
        counted.pop(wanted.key, None)
        return list(counted.values())
