"""Whether a deployment has room below the limit of costs, and what follows from that. Pure."""

from dataclasses import dataclass
from datetime import timedelta

from tuneops.actions import Action, ReserveCost, Wait

PATIENCE = timedelta(minutes=5)
"""What has been superseded goes within that time; what keeps others waiting longer is told."""


@dataclass(frozen=True)
class Room:
    """What was found for a deployment that is about to be created; `lack` says why it may not be.

    `reserved`: it is counted already, so that no other one takes its place. `known`: it could be
    told what runs, else nothing is given up for it.
    """

    reserved: bool = False
    lack: str = ""
    known: bool = True

    @property
    def is_full(self) -> bool:
        """Whether what runs leaves too little."""
        return self.known and bool(self.lack)


def await_room(room: Room) -> Action | None:
    """What comes before a deployment is created; None when nothing does."""
    if room.reserved:
        return None
    return Wait(room.lack, patience=PATIENCE, about="room") if room.lack else ReserveCost()
