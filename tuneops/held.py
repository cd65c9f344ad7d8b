"""A project's documents while one worker holds their lease: read under it, written under it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from azure.storage.blob import BlobLeaseClient

from tuneops import documents
from tuneops.document import Document
from tuneops.events.effect import Standing
from tuneops.events.record import remembered
from tuneops.project import Project
from tuneops.queue import ProjectRequest
from tuneops.release import Release
from tuneops.release_note import note_of
from tuneops.services import Services
from tuneops.store import ConflictError, Stored, hold
from tuneops.telemetry import releases

STOOD_STILL = timedelta(seconds=10)
"""What was decided longer ago is decided anew."""

T = TypeVar("T", bound=Document)


class Held:
    """A project and the release that is worked on, as they are stored.

    `performed` counts what has been done in this look: once something was, the release remembers
    the event that the look is for.

    Raises:
        ConflictError: a document has gone, or somebody else has written it or has the lease; so do
            all methods that write.
    """

    def __init__(
        self,
        request: ProjectRequest,
        services: Services,
        lease: BlobLeaseClient,
        clock: Callable[[], datetime],
    ) -> None:
        self.request = request
        self.services = services
        self.clock = clock
        self.performed = 0
        self._lease = lease
        self._project = self.load(documents.project(request.project), Project)
        self._release = self.load_release(self.project.current)

    @property
    def project(self) -> Project:
        """The project, as it was written last."""
        return self._project.value

    @property
    def release(self) -> Release | None:
        """The release that is worked on, if there is one: the newest, until another is taken."""
        return self._release.value if self._release else None

    @property
    def standing(self) -> Standing:
        """The release and its phase."""
        return (self.release.number, self.release.phase) if self.release else None

    @property
    def is_moved(self) -> bool:
        """Whether this look's event has led to something before, in a look that was cut short."""
        return self.release is not None and self.request.event in self.release.moved_by

    def take(self, release: Stored[Release] | None) -> None:
        """Work on this release from now on."""
        self._release = release

    def keep_turn(self) -> None:
        """See that it is this worker's turn before it acts, and that it has not stood still.

        Raises:
            ConflictError: it is another's turn, or may have been meanwhile.
        """
        before = self.services.clock()
        hold(self._lease)
        if self.services.clock() - before > STOOD_STILL:
            raise ConflictError("this worker stood still, and decides anew")

    def load(self, path: str, kind: type[T]) -> Stored[T]:
        """A document that has to be there."""
        stored = self.services.store.read(path, kind)
        if stored is None:
            raise ConflictError(f"{path} has gone")
        return stored

    def load_release(self, number: int | None) -> Stored[Release] | None:
        """A release of the project, if there is one of this number."""
        return self.services.release(self.request.project, number)

    def save_project(self, project: Project) -> None:
        """Write the project."""
        path, note = documents.project(project.name), project.note.text()
        store, etag = self.services.store, self._project.etag
        self._project = store.write(path, project, etag, self._lease, note)

    def save_release(self, release: Release) -> None:
        """Write the release that is worked on, which this one may be from now on."""
        self._release = self.write(self._release, release)

    def write(self, before: Stored[Release] | None, release: Release) -> Stored[Release]:
        """Write a release in the place of the one before, unless it is the same."""
        if before and before.value == release:
            return before
        hold(self._lease)
        if self.performed:
            moved_by = remembered(release.moved_by, self.request.event)
            release = release.replace(moved_by=moved_by)
        self.forget_look()
        path = documents.release(release.project, release.number)
        etag = before.etag if before and before.value.number == release.number else None
        note = note_of(release).text()
        written = self.services.store.write(path, release, etag, note=note)
        releases.moved(before.value if before and etag else None, release)
        return written

    def forget_look(self) -> None:
        """Before anything is changed: a crash after that must not hide that more is to be done."""
        if self.project.look:
            self.save_project(self.project.replace(look=None))
