"""The time is that of storage, and who has lost its turn does nothing more."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from azure.storage.blob import BlobClient, BlobLeaseClient
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.config_text import config_of
from tuneops import documents
from tuneops.clock import Clock, utc_now
from tuneops.desired import Desired, Source
from tuneops.project import Project
from tuneops.queue import ProjectRequest
from tuneops.reconcile import reconcile_project
from tuneops.release import Release
from tuneops.services import Services

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MOMENTS = 7
"""So often a look asks for the time before its first release is written."""


class Host:
    """A host that is wrong about the time; `passed` are the seconds that it has measured."""

    def __init__(self, wrong: timedelta) -> None:
        self.wrong = wrong
        self.passed = 0.0
        self.clock = Clock(lambda: NOON + self.wrong, lambda: self.passed)

    def hear(self, at: datetime, waited: float = 0) -> None:
        self.clock.hear(format_datetime(at, usegmt=True), waited)


class Robbed:
    """A clock; when it is asked for the time so often another worker has the lease."""

    def __init__(self, blob: BlobClient, moment: int) -> None:
        self.blob = blob
        self.left = moment
        self.other: BlobLeaseClient | None = None

    def __call__(self) -> datetime:
        self.left -= 1
        if not self.left:
            BlobLeaseClient(self.blob).break_lease(lease_break_period=0)
            self.other = self.blob.acquire_lease(15)
        return utc_now()


@pytest.mark.parametrize("hours", [-30, 0, 1])
def test_the_host_s_own_clock_counts_until_storage_has_answered(hours: int) -> None:
    host = Host(timedelta(hours=hours))
    assert host.clock() == NOON + timedelta(hours=hours)
    host.hear(NOON)
    assert host.clock() == NOON
    host.wrong -= timedelta(days=1)
    host.passed += 90
    assert host.clock() == NOON + 90 * SECOND


@pytest.mark.parametrize(
    ("passed", "said", "waited", "expected"),
    [
        (10.0, 10, 0.0, 10.0),
        (10.4, 10, 0.0, 10.4),
        (10.4, 11, 0.0, 11.0),
        (14.0, 10, 0.0, 11.0),
        (14.0, 10, 5.0, 14.0),
        (0.0, 600, 0.0, 600.0),
    ],
)
def test_an_answer_corrects_by_no_more_than_it_says(
    passed: float, said: int, waited: float, expected: float
) -> None:
    host = Host(timedelta(0))
    host.hear(NOON)
    host.passed += passed
    host.hear(NOON + said * SECOND, waited)
    assert host.clock() == NOON + expected * SECOND


@pytest.mark.parametrize("date", ["", "yesterday", "Sun, 99 Mar 2026 12:00:00 GMT"])
def test_what_is_no_date_changes_nothing(date: str) -> None:
    host = Host(timedelta(0))
    host.hear(NOON)
    host.clock.hear(date)
    assert host.clock() == NOON


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0.01, 30), st.floats(0, 5), st.floats(0.99, 1.01)), min_size=1))
def test_two_hosts_are_never_further_apart_than_what_answers_leave_open(
    answers: list[tuple[float, float, float]],
) -> None:
    """Whatever time passes, however long an answer takes and whatever pace a host measures at."""
    host, real = Host(timedelta(hours=7)), 0.0
    for pause, waited, pace in answers:
        given, real = real + pause, real + pause + waited
        host.passed += (pause + waited) * pace
        host.hear(NOON + int(given) * SECOND, waited)
        off = (host.clock() - NOON).total_seconds() - real
        assert -1 - waited <= round(off, 6) <= 1


def test_storage_tells_a_host_that_is_hours_wrong_what_time_it_is(services: Services) -> None:
    host = Services(services.settings)
    host.__dict__["clock"] = Clock(lambda: NOON, lambda: 5.0)
    assert host.clock() == NOON
    assert abs(host.now() - utc_now()) < 3 * SECOND
    with host.store.lease("a/leased.json", Project(name="leased")):
        assert abs(host.clock() - utc_now()) < 3 * SECOND


def test_who_has_lost_its_turn_begins_nothing(services: Services) -> None:
    """Its lease goes to another worker at any moment of its look, as when its host stands still."""
    source = Source(name="bot/a.jsonl", version="1", size=1)
    desired = Desired(project="bot", commit="c" * 40, path="p", config=config_of("bot"))
    services.store.write(documents.desired("bot"), desired.replace(source=source), etag=None)
    path, request = documents.project("bot"), ProjectRequest(project="bot")
    services.store.write(path, Project(name="bot"), etag=None)
    blob = services.state.get_blob_client(path)
    for moment in range(1, MOMENTS + 1):
        robbed = Robbed(blob, moment)
        assert reconcile_project(request, services, robbed) is None
        assert robbed.other, moment
        assert services.store.read(documents.release("bot", 1), Release) is None
        robbed.other.release()
