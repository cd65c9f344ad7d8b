"""Asking one deployment several questions, a few at the same time and not for long."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, NamedTuple

from tuneops.azureml.errors import UnavailableError
from tuneops.azureml.scoring import Door, Reply, put
from tuneops.inheriting import inheriting
from tuneops.release import Release
from tuneops.smoke import OK


class Round(NamedTuple):
    """The replies to the first questions, in their order, and how many requests were sent.

    Only the last reply may be no answer; `problem` says why the deployment could not be asked
    further.
    """

    replies: tuple[Reply, ...]
    sent: int
    problem: UnavailableError | None = None


def ask_in_turn(
    door: Door,
    release: Release,
    deployment: str,
    bodies: Sequence[Any],
    concurrency: int,
    seconds: float,
) -> Round:
    """Ask until `seconds` are over or a question gets no answer; the first one is always asked."""
    begun, over = time.monotonic(), Event()

    def ask(place: int) -> Reply | UnavailableError | None:
        if place and (over.is_set() or time.monotonic() - begun > seconds):
            return None
        try:
            reply = put(door, release, bodies[place], deployment)
        except UnavailableError as error:
            over.set()
            return error
        if reply.status != OK:
            over.set()
        return reply

    with ThreadPoolExecutor(concurrency) as pool:
        outcomes = list(pool.map(inheriting(ask), range(len(bodies))))
    sent = sum(outcome is not None for outcome in outcomes)
    replies: list[Reply] = []
    for outcome in outcomes:
        if outcome is None:
            break
        if isinstance(outcome, UnavailableError):
            return Round(tuple(replies), sent, outcome)
        replies.append(outcome)
        if outcome.status != OK:
            break
    return Round(tuple(replies), sent)
