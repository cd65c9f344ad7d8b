"""Reservations: deployments that are about to be created and may not be seen yet. Pure.

Azure lists a deployment some seconds after it was asked for. Until then its reservation counts, so
that two projects never take the same room. A reservation holds for `HOLDS`; its owner creates the
deployment while it is `FRESH`, else renews it first. So whatever was created is to be seen before
its reservation ends, and what never was leaves nothing to clear away.
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
    """The reservations of an environment by endpoint: each gets one deployment at a time."""

    reservations: dict[str, Reservation] = {}

    def has(self, wanted: Deployed, now: datetime) -> bool:
        """Whether room for just this deployment is reserved, and fresh enough to rely on."""
        found = self.reservations.get(wanted.endpoint.lower())
        return found is not None and found.deployment == wanted and now - found.at < FRESH

    def reserve(self, wanted: Deployed, now: datetime) -> "Ledger":
        """The ledger with room for this deployment, and without what holds no more."""
        own = {wanted.endpoint.lower(): Reservation(deployment=wanted, at=now)}
        return Ledger(reservations=self._held(now) | own)

    def beside(
        self,
        wanted: Deployed,
        seen: Iterable[Deployed],
        own: Iterable[Deployed],
        now: datetime,
    ) -> list[Deployed]:
        """All that counts beside `wanted`: what is reserved, and what is there whatever it is for.

        `own` is what stands behind its own endpoint, which is known better than what is `seen` of
        it in the list, or was reserved for it. What is there and has room to grow counts with that.
        """
        reserved = (each.deployment for each in self._held(now).values())
        elsewhere = {
            each.key: each
            for each in sorted((*reserved, *seen), key=lambda each: each.count)
            if each.endpoint.lower() != wanted.endpoint.lower()
        }
        return [*elsewhere.values(), *(each for each in own if each.key != wanted.key)]

    def _held(self, now: datetime) -> dict[str, Reservation]:
        return {
            endpoint: each for endpoint, each in self.reservations.items() if now - each.at < HOLDS
        }
