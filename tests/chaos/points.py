"""Moments of an effect at which a host is to die, as files: a rename tells exactly one host."""

import os
import signal
from collections.abc import Iterable
from pathlib import Path

MOMENTS = ("before", "during", "after")
"""Before an effect is begun; when it is done and not saved; when it is saved."""

Point = tuple[str, str]
"""An effect by the name of its action, and a moment."""


class Points:
    """The points that are armed, and those at which a host has died."""

    def __init__(self, folder: Path) -> None:
        self._armed, self._struck = folder / "armed", folder / "struck"
        for each in (self._armed, self._struck):
            each.mkdir(parents=True, exist_ok=True)

    def arm(self, points: Iterable[Point]) -> None:
        """Let the next host that comes to each of them die there."""
        for effect, moment in points:
            (self._armed / f"{effect}.{moment}").touch()

    def disarm(self) -> set[Point]:
        """Let nobody die any more; gives the points at which somebody has, and forgets them."""
        for each in self._armed.iterdir():
            each.unlink(missing_ok=True)
        struck = self.struck()
        for each in self._struck.iterdir():
            each.unlink()
        return struck

    def struck(self) -> set[Point]:
        """The points at which a host has died."""
        parts = (each.name.partition(".") for each in self._struck.iterdir())
        return {(effect, moment) for effect, _, moment in parts}

    def pass_by(self, effect: str, moment: str) -> None:
        """Die here, now, if that was asked for: as ``kill -9`` does."""
        name = f"{effect}.{moment}"
        try:
            os.rename(self._armed / name, self._struck / name)
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.SIGKILL)
