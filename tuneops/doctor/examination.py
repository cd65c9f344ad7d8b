"""Looking at everything side by side, for a bounded time."""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime

from tuneops.azureml import sdk
from tuneops.doctor.checks import settled
from tuneops.doctor.errors import said
from tuneops.doctor.finding import Finding, Report, failed, skipped
from tuneops.doctor.judging import settings as judging_settings
from tuneops.doctor.patient import Patient
from tuneops.doctor.tasks import Task, tasks_of
from tuneops.inheriting import inheriting
from tuneops.scrub import scrub
from tuneops.services import Services
from tuneops.version import VERSION

AT_ONCE = 16
CHECK_SECONDS = 10.0
ALL_SECONDS = 25.0
GLANCE_SECONDS = 0.2

_POOL = ThreadPoolExecutor(AT_ONCE, "doctor")
"""One for the process: however often it is asked, no more threads than these hang."""

log = logging.getLogger(__name__)


class _Run:
    """A task under way. What it has found counts, even when the rest takes too long."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.began: float | None = None
        self._ended = False
        self._found: list[Finding] = []

    def __call__(self) -> None:
        self.began = time.monotonic()
        try:
            for finding in self.task.look():
                self._found.append(finding)
        except Exception as error:
            log.warning("%s: %s: %s", self.task.checks[0], type(error).__name__, said(error))
            self._found += self._rest(f"can't be looked at: {type(error).__name__}: {said(error)}")
        self._ended = True

    @property
    def is_late(self) -> bool:
        """Whether it has taken all of its time."""
        return self.began is not None and time.monotonic() - self.began > CHECK_SECONDS

    def findings(self) -> list[Finding]:
        """What it has found until now, and what it would have looked at as well."""
        ended, found = self._ended, list(self._found)
        if self.began is None:
            found += self._unlooked("there was no time for it: ask for this area alone")
        elif not ended:
            found += self._rest(f"no answer within {CHECK_SECONDS:.0f} s")
        return [each.model_copy(update={"environment": self.task.environment}) for each in found]

    def _missing(self) -> list[str]:
        known = {finding.check for finding in self._found}
        return [check for check in self.task.checks if check not in known]

    def _rest(self, why: str) -> list[Finding]:
        mend = "see that the app's network reaches it, then look again; the app's log may say more"
        return [failed(check, why, mend) for check in self._missing()]

    def _unlooked(self, why: str) -> list[Finding]:
        return [skipped(check, why) for check in self._missing()]


def examine(
    services: Services, environment: Mapping[str, str], asked_at: str, only: str = ""
) -> Report:
    """Look at everything, or at one area.

    `environment` are the process's variables, `asked_at` the address by which it was asked.
    """
    sdk.load()
    hosts = judging_settings.hosts(environment, asked_at)
    patient = Patient(services, environment, hosts, datetime.now(UTC))
    tasks = [task for task in tasks_of(patient) if _is_in(task, only)]
    found = [finding for finding in _run(tasks) if only in ("", finding.area)]
    return Report(version=VERSION, findings=settled([_hidden(each) for each in found]))


def _is_in(task: Task, area: str) -> bool:
    return not area or any(check.partition(".")[0] == area for check in task.checks)


def _hidden(finding: Finding) -> Finding:
    """The finding without what looks like a secret, whatever said it."""
    return finding.model_copy(update={"what": scrub(finding.what), "where": scrub(finding.where)})


def _run(tasks: Iterable[Task]) -> Iterator[Finding]:
    runs = [_Run(task) for task in tasks]
    pending: dict[Future[None], _Run] = {_POOL.submit(inheriting(run)): run for run in runs}
    deadline = time.monotonic() + ALL_SECONDS
    while pending and time.monotonic() < deadline:
        done, _ = wait(pending, timeout=GLANCE_SECONDS, return_when=FIRST_COMPLETED)
        pending = {
            future: run for future, run in pending.items() if future not in done and not run.is_late
        }
    for future in pending:
        future.cancel()
    for run in runs:
        yield from run.findings()
