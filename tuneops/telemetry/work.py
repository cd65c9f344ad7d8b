"""The span of one look at a project, in the trace of the release that it works for."""

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from tuneops.release import Release
from tuneops.telemetry import fields, tracing
from tuneops.telemetry.carried import Carrier
from tuneops.telemetry.current import observe_lag


class Work:
    """One look at a project.

    A release on its way has one trace, from the event that has led to it to its end, whatever wakes
    it: it is followed, with a link to what has woken it. All else belongs to the trace of its call.
    """

    def __init__(self, project: str) -> None:
        self._named = fields.of_stream(project)
        self._stack = ExitStack()
        self._followed: tuple[int | None] | None = None
        self.begun_by = tracing.kept(tracing.here())

    def __enter__(self) -> Self:
        observe_lag()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    def follow(self, release: Release | None) -> None:
        """What is done from here on is for this release, or for the project alone.

        One that comes to its end meanwhile is followed for the rest of the look.
        """
        followed = (release.number if release else None,)
        if followed == self._followed:
            return
        self._stack.close()
        self._followed = followed
        self._stack.enter_context(fields.bound({**self._named, **_named(release)}))
        self._stack.enter_context(tracing.continued(place_of(release), "reconcile project"))


def place_of(release: Release | None) -> Carrier:
    """Where the work for a release belongs, as long as it is on its way."""
    return Carrier() if release is None or release.phase.ended else release.trace


def _named(release: Release | None) -> dict[str, str]:
    if release is None:
        return {}
    return {fields.RELEASE: str(release.number), fields.COMMIT: release.commit}
