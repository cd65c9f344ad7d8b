"""Mailboxes: nothing is posted twice, nothing is lost, each release's messages stay in order."""

from collections import defaultdict
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneops.message import Delivery, Message, Severity
from tuneops.notify.digests import digest
from tuneops.notify.health import Health
from tuneops.notify.letter import GIVE_UP_AFTER, LEAST_ATTEMPTS, Letter, Series
from tuneops.notify.mailbox import (
    MAX_OWED,
    MAX_SETTLED,
    MAX_THREADS,
    Mailbox,
    Note,
    Outcome,
    outcomes,
    read_note,
)
from tuneops.notify.pauses import FIRST, LONGEST, LONGEST_ASKED, pause
from tuneops.notify.routing import QuietHours, Route
from tuneops.project import Wake

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PLAIN, HOURLY = Route(), Route(digest="hourly")
NIGHT = Route(quiet_hours=QuietHours(begin=time(11), end=time(15)))


def message(
    key: str, release: int | None = 1, severity: Severity = "info", at: datetime = NOW
) -> Message:
    return Message(
        key=key,
        event="live",
        title=key,
        text="",
        at=at,
        project="bot",
        release=release,
        severity=severity,
    )


def box_of(*messages: Message) -> Mailbox:
    box = Mailbox()
    for each in messages:
        box = box.add(each, Delivery())
    return box


def keys(letters: tuple[Letter, ...]) -> list[str]:
    return [each.key for each in letters]


def test_a_key_is_posted_once() -> None:
    box = box_of(message("a"), message("b"), message("a"))
    assert keys(box.owed) == ["a", "b"]
    box = box.sent(box.parcel(PLAIN, NOW), NOW, "", "")
    assert box.add(message("a"), Delivery()) == box
    assert outcomes([box]) == {"a": Outcome(NOW, False), "b": Outcome(None, True)}


@pytest.mark.parametrize(
    ("before", "owed", "sent_at", "attempts"),
    [
        pytest.param(Delivery(), ["a"], None, 0, id="never-tried"),
        pytest.param(Delivery(attempts=2, error="x"), ["a"], None, 2, id="tried"),
        pytest.param(Delivery(attempts=1, sent_at=NOW), [], NOW, 1, id="sent"),
        pytest.param(Delivery(attempts=10, gave_up=True), [], None, 10, id="given-up"),
    ],
)
def test_what_an_earlier_version_has_sent_is_not_sent_again(
    before: Delivery, owed: list[str], sent_at: datetime | None, attempts: int
) -> None:
    old = message("a").replace(deliveries={"c": before})
    box = Mailbox().add(old, before)
    assert keys(box.owed) == owed
    (kept,) = (*box.owed, *box.settled)
    assert kept.attempts == attempts
    assert outcomes([box])["a"] == Outcome(sent_at, bool(owed))
    assert all(letter.message.deliveries == {} for letter in box.owed)


@pytest.mark.parametrize(
    ("route", "messages", "parcels"),
    [
        pytest.param(PLAIN, "abc", ["a", "b", "c"], id="one-by-one"),
        pytest.param(HOURLY, "abc", [], id="digest-not-yet"),
        pytest.param(HOURLY, "abC", ["ab", "C"], id="urgent-takes-its-release-along"),
        pytest.param(HOURLY, "abX", ["X"], id="urgent-of-another-release"),
        pytest.param(HOURLY, "Cab", ["C"], id="what-follows-waits"),
        pytest.param(NIGHT, "ab", [], id="quiet"),
        pytest.param(NIGHT, "abC", ["a", "b", "C"], id="quiet-but-urgent"),
    ],
)
def test_what_goes_now(route: Route, messages: str, parcels: list[str]) -> None:
    """Capitals are urgent; x and later letters are of another release."""
    box = box_of(
        *(
            message(key, 2 if key.lower() >= "x" else 1, "error" if key.isupper() else "info")
            for key in messages
        )
    )
    found = []
    while parcel := box.parcel(route, NOW):
        found.append("".join(keys(parcel)))
        box = box.sent(parcel, NOW, "", "")
    assert found == parcels


def test_a_digest_goes_at_its_time_as_one() -> None:
    box = box_of(message("a"), message("b", None), message("c", 2))
    assert box.next_at(HOURLY, NOW) == NOW + HOUR
    assert keys(box.parcel(HOURLY, NOW + HOUR)) == ["a", "b", "c"]
    said = digest([each.message for each in box.owed], NOW)
    assert said == digest([each.message for each in box.owed], NOW)


def test_nothing_is_tried_before_its_time() -> None:
    box = box_of(message("a"), message("b"))
    failed = box.failed(box.parcel(PLAIN, NOW), "down", NOW, NOW + MINUTE, PLAIN)
    assert failed.parcel(PLAIN, NOW) == ()
    assert failed.next_at(PLAIN, NOW) == NOW + MINUTE
    assert keys(failed.parcel(PLAIN, NOW + MINUTE)) == ["a"]
    assert failed.note == Note(waiting=2)
    mended = failed.sent(failed.parcel(PLAIN, NOW + MINUTE), NOW, "", "")
    assert (mended.failures, mended.failing_since, mended.retry_at) == (0, None, None)
    assert mended.next_at(PLAIN, NOW) == NOW
    assert Mailbox().next_at(PLAIN, NOW) is None


def test_a_message_is_given_up_after_a_day_and_many_tries() -> None:
    box, now, tries = box_of(message("old"), message("new", at=NOW + 20 * HOUR)), NOW, 0
    while keys(box.owed)[0] == "old":
        parcel = box.parcel(PLAIN, now)
        box, tries = box.failed(parcel, "down", now, now + HOUR, PLAIN), tries + 1
        assert keys(parcel) == ["old"]
        now += HOUR
    assert now - NOW == GIVE_UP_AFTER + HOUR
    (gone,) = box.settled
    assert (gone.key, gone.sent_at, gone.error, gone.attempts) == ("old", None, "down", tries)
    box = box.failed(box.parcel(PLAIN, now), "down", now, now, PLAIN)
    assert keys(box.owed) == ["new"], "it has not waited for a day"
    assert box.note == Note(waiting=1, given_up=1)


@pytest.mark.parametrize(
    ("failures", "hours", "route", "over"),
    [
        pytest.param(LEAST_ATTEMPTS, 24, PLAIN, True, id="over"),
        pytest.param(LEAST_ATTEMPTS - 1, 24, PLAIN, False, id="hardly-tried"),
        pytest.param(LEAST_ATTEMPTS, 23, PLAIN, False, id="not-yet"),
        pytest.param(LEAST_ATTEMPTS, 26, NIGHT, False, id="was-held-till-three"),
        pytest.param(LEAST_ATTEMPTS, 27, NIGHT, True, id="a-day-after-three"),
    ],
)
def test_when_it_is_given_up(failures: int, hours: int, route: Route, over: bool) -> None:
    letter = Letter(message=message("a"))
    series = Series(NOW - HOUR, failures)
    assert series.gives_up(letter, route, NOW + hours * HOUR) is over


def test_what_is_refused_for_good_holds_up_nothing() -> None:
    box = box_of(message("a"), message("b"))
    box = box.refused(box.parcel(PLAIN, NOW), "too large")
    assert (keys(box.owed), box.retry_at) == (["b"], None)
    assert [(each.key, each.attempts, each.error) for each in box.settled] == [
        ("a", 1, "too large")
    ]


def test_a_mailbox_is_bounded() -> None:
    box = box_of(*(message(str(n)) for n in range(MAX_OWED + 2)))
    assert len(box.owed) == MAX_OWED
    assert [(each.key, each.error) for each in box.settled] == [
        (key, f"{MAX_OWED} newer messages wait") for key in ("0", "1")
    ]
    while parcel := box.parcel(PLAIN, NOW):
        box = box.sent(parcel, NOW, f"bot:{parcel[0].key}", "handle")
    assert len(box.settled) == MAX_SETTLED
    assert len(box.threads) == MAX_THREADS


def test_a_note_says_whether_somebody_will_come() -> None:
    wake = Wake(id="w", at=NOW)
    box = box_of(message("a")).replace(wake=wake)
    assert read_note(box.note.text()) == box.note == Note(waiting=1, wake_at=NOW)
    assert not box.note.forgotten(NOW + MINUTE)
    assert box.note.forgotten(NOW + 2 * MINUTE)
    assert not Note(wake_at=NOW).forgotten(NOW + HOUR)
    assert read_note("nonsense").forgotten(NOW)
    assert len(Note(waiting=10**6, given_up=10**6, wake_at=NOW).text()) < 200


@given(st.integers(1, 10**6), st.floats(0, 1), st.floats(-1, 10**9))
def test_pauses_are_bounded(failures: int, chance: float, asked: float) -> None:
    assert FIRST / 2 <= pause(failures, chance) <= LONGEST
    assert pause(failures, chance, asked) <= max(LONGEST, LONGEST_ASKED)
    assert pause(failures, chance, asked) >= min(timedelta(seconds=asked), LONGEST_ASKED)
    assert pause(failures + 1, chance) >= pause(failures, chance)


def test_a_channels_health() -> None:
    well = Health(channel="c", name="Chat").succeeded(NOW)
    assert well.succeeded(NOW + MINUTE / 2) is well, "not each success is written down"
    assert well.succeeded(NOW + MINUTE).last_success == NOW + MINUTE
    ill = well.failed("down", NOW, 0).failed("gone", NOW + MINUTE, 0, asked=90)
    assert (ill.failing_since, ill.failures, ill.error) == (NOW, 2, "gone")
    assert ill.probe_at == NOW + MINUTE + timedelta(seconds=90)
    assert ill.last_success == NOW
    assert ill.series == Series(NOW, 2)
    assert ill.succeeded(NOW + HOUR) == well.replace(last_success=NOW + HOUR)
    assert well.failed("no", NOW, 0, permanent=True).probe_at is None


ANSWERS = st.lists(st.sampled_from(["taken", "failed", "refused", "crashed"]), max_size=12)
POSTS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(1, 2), st.sampled_from(["info", "error"])),
    max_size=12,
)


@settings(max_examples=60)
@given(POSTS, ANSWERS, st.sampled_from([PLAIN, HOURLY, NIGHT]))
def test_all_is_sent_in_order_whatever_happens(
    posts: list[tuple[int, int, Severity]], answers: list[str], route: Route
) -> None:
    """A crash is one between sending and saving: it repeats what was sent, and nothing else."""
    box, now, heard = Mailbox(), NOW, list[str]()
    posted: dict[int, list[str]] = defaultdict(list)
    refused: set[str] = set()
    crashes = answers.count("crashed")
    for number, release, severity in posts:
        key = str(number)
        if key not in box.keys:
            posted[release].append(key)
        box = box.add(message(key, release, severity, now), Delivery())
        now += MINUTE
    while (at := box.next_at(route, now)) is not None:
        parcel = box.parcel(route, now)
        if not parcel:
            assert at > now
            now = at
            continue
        answer = answers.pop() if answers else "taken"
        if answer == "failed":
            box = box.failed(parcel, "down", now, now + MINUTE, route)
        elif answer == "refused":
            box = box.refused(parcel, "no")
            refused.update(keys(parcel))
        else:
            heard += keys(parcel)
            box = box if answer == "crashed" else box.sent(parcel, now, "", "")
    assert box.owed == ()
    for order in posted.values():
        expected = [key for key in order if key not in refused]
        told = [key for key in heard if key in expected]
        assert list(dict.fromkeys(told)) == expected
    if not crashes:
        assert len(heard) == len(set(heard))
