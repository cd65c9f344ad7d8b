"""A sweep of one workspace: look, tell, delete what is due, all under one lease.

Level-triggered like a reconcile: each look begins with what is there. A finding is stored before it
is told, told before it goes, and recorded before it is deleted; it is struck out once the resource
is seen to have gone. So a crash at any moment leaves a state from which the same steps follow.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Literal

from azure.storage.blob import BlobLeaseClient

from tuneops import documents, names
from tuneops.azureml import arm, jobs, tagged
from tuneops.azureml.errors import MissingRoleError, RefusedError, UnavailableError
from tuneops.notify.mailbox import outcomes
from tuneops.notify.post import post, read_mailboxes
from tuneops.project import Project
from tuneops.queue import RestoreRequest, SweepRequest
from tuneops.services import Services
from tuneops.store import BusyError, ConflictError, Stored, UnreadableError, hold
from tuneops.sweep import text
from tuneops.sweep.finding import Finding, Findings, due, told, too_many
from tuneops.sweep.record import UNDER_WAY, Record
from tuneops.sweep.resource import Kind, Resource
from tuneops.sweep.survey import Survey, behind_git, examine, looked_at

AGAIN_SECONDS = 60
"""After something was deleted, to see that it has gone; or told, to see that somebody knows."""

log = logging.getLogger(__name__)


def sweep_workspace(
    request: SweepRequest, services: Services, clock: Callable[[], datetime] | None = None
) -> None:
    """Sweep the workspace of an environment, or only tell people what they are owed of it.

    Raises:
        NoSourceError: the settings have no source for the environment.
    """
    if services.settings.sweep == "off":
        return
    services = services.of(request.environment)
    path = documents.findings(services.workspace.id)
    try:
        with services.store.lease(path, Findings()) as lease:
            now = (clock or services.clock)()
            _Sweep(request, services, lease, path, now).run()
    except (BusyError, ConflictError) as error:
        log.info("workspace %s is swept by another worker: %s", services.workspace.id, error)
    except UnreadableError as error:
        log.error("workspace %s is not swept: %s", services.workspace.id, error)


class _Sweep:
    """One sweep of one workspace, under its lease."""

    def __init__(
        self,
        request: SweepRequest,
        services: Services,
        lease: BlobLeaseClient,
        path: str,
        now: datetime,
    ) -> None:
        self.request = request
        self.services = services
        self.lease = lease
        self.path = path
        self.now = now
        stored = services.store.read(path, Findings)
        if stored is None:
            raise ConflictError(f"{path} has gone")
        self.stored: Stored[Findings] = stored

    @property
    def grace(self) -> timedelta:
        return timedelta(hours=self.services.settings.sweep_grace_hours)

    @property
    def deletes(self) -> bool:
        return self.services.settings.sweep == "delete"

    def run(self) -> None:
        """Look and tell; then delete what was due before this look."""
        if self.request.only == "tell":
            self._tell()
            return
        survey = Survey(self.services, self.now)
        if survey.empty:
            log.warning("nothing is swept: there are no projects in the store")
            return
        try:
            self._look(survey)
        except (RefusedError, UnavailableError) as error:
            log.warning("workspace %s is swept the next time: %s", self.path, error)
            self._save(self.stored.value.replace(trouble=str(error)))
            return
        self._remind_of_restorations()
        self._tell()
        if self.deletes and not self.request.only and self._delete():
            self._ask("look")

    def _look(self, survey: Survey) -> None:
        before = self.stored.value.on_the_way(self.now, deletes=self.deletes)
        seen = looked_at(survey, before)
        stopped = too_many(seen.findings, seen.total) if self.deletes else ""
        environment = self.services.environment
        messages = [text.swept(record, self.now) for record in self._gone(before, seen)]
        if stopped and not before.stopped:
            messages.append(text.stopped(stopped, seen.workspace, self.now, environment))
        news = [each for each in seen.findings if not each.message]
        findings = seen.findings
        if news:
            grace = self.grace if self.deletes else None
            message = text.found(news, seen.workspace, grace, self.now, environment)
            messages.append(message)
            findings = tuple(
                each if each.message else each.replace(message=message.key) for each in findings
            )
        owed = (*before.outbox, *messages)
        self._save(seen.replace(findings=findings, stopped=stopped, outbox=owed))

    def _gone(self, before: Findings, seen: Findings) -> Iterator[Record]:
        """The records of what was to be deleted and is not there any more."""
        there = {each.id for each in seen.findings}
        for finding in before.findings:
            path = documents.swept(finding.id)
            if finding.id in there or self.services.store.read(path, Record) is None:
                continue
            resource = Resource(finding.resource)
            if tagged.look(self.services.workspace, resource, self.now, self.now) is None:
                yield self._note_gone(path)

    def _tell(self) -> None:
        """Post what people are owed, and note which findings somebody has been told of by now."""
        stream = names.stream_of(self.services.environment, "sweeps")
        if self.stored.value.outbox:
            post(self.services, stream, self.stored.value.outbox, self.services.people)
            self._ask("tell")
        became = outcomes(read_mailboxes(self.services.store, stream).values())
        known = told(self.stored.value.findings, became)
        self._save(self.stored.value.replace(findings=known, outbox=()))

    def _delete(self) -> int:
        """Begin to delete what is due; gives how much that was."""
        findings = self.stored.value
        doomed = due(findings.findings, findings.total, self.grace, self.now)
        why = behind_git(self.services) if doomed else ""
        if why:
            log.info("%d resources are not swept now: %s", len(doomed), why)
            return 0
        return sum(self._delete_one(finding) for finding in doomed)

    def _delete_one(self, finding: Finding) -> bool:
        """Begin to delete it, unless the last look, while no reconcile is at work, saves it."""
        project = Project(name=finding.project)
        try:
            with self.services.store.lease(documents.project(finding.project), project) as turn:
                return self._delete_unless_used(finding, turn)
        except (BusyError, ConflictError):
            log.info("%s is looked at the next time: its project is busy", finding.label)
        except (RefusedError, UnavailableError) as error:
            log.warning("%s can't be deleted now: %s", finding.label, error)
            if isinstance(error, RefusedError | MissingRoleError):
                self._note_stuck(finding, str(error))
        return False

    def _note_stuck(self, finding: Finding, why: str) -> None:
        """Once: it takes a person, who hears of it at the next look."""
        if finding.stuck:
            return
        stuck = finding.replace(stuck=why, message="")
        known = self.stored.value.findings
        findings = tuple(stuck if each.id == finding.id else each for each in known)
        self._save(self.stored.value.replace(findings=findings))

    def _delete_unless_used(self, finding: Finding, turn: BlobLeaseClient) -> bool:
        resource = Resource(finding.resource, {"tuneops.project": finding.project})
        still, parts = examine(Survey(self.services, self.now), resource, finding)
        if still is None or still.left or still.since != finding.since:
            log.info("%s is not deleted: something has changed", finding.label)
            return False
        log.warning("deleting %s: %s; %s", finding.label, finding.why, text.proven(still))
        self._record(still, parts)
        hold(turn)
        if finding.kind == Kind.JOB:
            jobs.cancel(self.services.workspace, resource.name)
        else:
            arm.begin_delete(self.services.workspace, finding.resource)
        return True

    def _record(self, finding: Finding, parts: tuple[arm.Json, ...]) -> None:
        """Write down how to bring it back, before it goes."""
        record = Record(
            finding=finding, environment=self.services.environment, at=self.now, parts=parts
        )
        self.services.store.update(documents.swept(finding.id), Record, lambda _: record)

    def _note_gone(self, path: str) -> Record:
        """Once, as from then on people may have it brought back."""

        def change(known: Record | None) -> Record:
            if known is None:
                raise ConflictError(f"{path} has gone")
            return known if known.gone_at else known.replace(gone_at=self.now)

        return self.services.store.update(path, Record, change)

    def _remind_of_restorations(self) -> None:
        """A restoration whose message was lost goes on."""
        for listed in self.services.store.listed(documents.SWEPT):
            if listed.note == UNDER_WAY:
                self.services.queue.send(RestoreRequest(id=documents.name_in(listed.path)))

    def _ask(self, only: Literal["look", "tell"]) -> None:
        """Have somebody see, in a while, what has become of it."""
        again = SweepRequest(environment=self.request.environment, only=only)
        self.services.queue.send(again, AGAIN_SECONDS)

    def _save(self, findings: Findings) -> None:
        if findings != self.stored.value:
            self.stored = self.services.store.write(
                self.path, findings, self.stored.etag, self.lease
            )
