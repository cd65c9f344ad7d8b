"""Delivery: at least once, in order on each channel, none waiting for another."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tuneops.message import Message
from tuneops.notify.outbox import (
    MAX_ATTEMPTS,
    Channel,
    ChannelError,
    deliver,
    next_retry,
    taken_over,
    unsettled,
)
from tuneops.notify.routing import Route

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Listener:
    """A channel that writes down what it takes, and refuses when told to."""

    def __init__(self, name: str, answers: list[bool] | None = None) -> None:
        self.id = self.name = name
        self.route = Route()
        self.answers = answers or []
        self.heard: list[str] = []

    def send(self, message: Message, thread: str) -> str:
        if self.answers and not self.answers.pop(0):
            raise ChannelError("refused")
        self.heard.append(message.key)
        return ""


def messages(count: int) -> tuple[Message, ...]:
    return tuple(
        Message(key=f"m{n}", event="live", title="", text="", at=NOW) for n in range(count)
    )


def test_messages_arrive_once_and_in_order() -> None:
    channel = Listener("a")
    outbox = deliver(messages(3), [channel], NOW)
    assert deliver(outbox, [channel], NOW) == outbox
    assert channel.heard == ["m0", "m1", "m2"]
    assert unsettled(outbox, [channel]) == ()


def test_a_message_for_one_channel_goes_to_no_other() -> None:
    one, other = Listener("one"), Listener("other")
    (first, second) = messages(2)
    outbox = deliver((first.replace(only="one"), second), [one, other], NOW)
    assert (one.heard, other.heard) == (["m0", "m1"], ["m1"])
    assert unsettled(outbox, [one, other]) == ()
    assert next_retry(outbox, [one, other]) is None


def test_a_dead_channel_holds_up_no_other() -> None:
    dead, alive = Listener("dead", [False] * 99), Listener("alive")
    outbox = messages(2)
    now = NOW
    for _ in range(3 * MAX_ATTEMPTS):
        outbox = deliver(outbox, [dead, alive], now)
        now += timedelta(hours=1)
    assert alive.heard == ["m0", "m1"]
    assert dead.heard == []
    assert all(m.deliveries["dead"].gave_up for m in outbox)
    assert all(m.deliveries["dead"].attempts == MAX_ATTEMPTS for m in outbox)


def test_what_waits_behind_a_refused_message_is_owed() -> None:
    channels = [Listener("dead", [False]), Listener("alive")]
    outbox = deliver(messages(3), channels, NOW)
    assert unsettled(outbox, channels) == outbox
    assert unsettled(outbox, channels[1:]) == ()
    owed = deliver(unsettled(outbox, channels), channels, NOW + timedelta(seconds=5))
    assert [channel.heard for channel in channels] == [["m0", "m1", "m2"]] * 2
    assert unsettled(owed, channels) == ()


def test_what_was_never_sent_is_owed() -> None:
    assert unsettled(messages(2), [Listener("any")]) == messages(2)


def test_a_refused_message_is_tried_again_when_it_is_due() -> None:
    channel = Listener("a", [False])
    outbox = deliver(messages(2), [channel], NOW)
    assert next_retry(outbox, [channel]) == NOW + timedelta(seconds=5)
    assert deliver(outbox, [channel], NOW + timedelta(seconds=4)) == outbox
    deliver(outbox, [channel], NOW + timedelta(seconds=5))
    assert channel.heard == ["m0", "m1"]


def test_a_channel_that_is_no_more_is_owed_nothing() -> None:
    outbox = deliver(messages(2), [Listener("old", [False])], NOW)
    new = Listener("new")
    outbox = deliver(outbox, [new], NOW)
    assert next_retry(outbox, [new]) is None
    assert unsettled(outbox, [new]) == ()


def test_what_another_outbox_has_taken_over_is_sent_from_there_alone() -> None:
    dead, alive = Listener("dead", [False]), Listener("alive")
    old = deliver(messages(2), [dead, alive], NOW)
    taken = unsettled(old, [dead, alive])
    old = taken_over(old, [dead, alive], "told by release 2")
    later = NOW + timedelta(hours=1)
    assert deliver(old, [dead, alive], later) == old
    assert next_retry(old, [dead, alive]) is None
    deliver(taken, [dead, alive], later)
    assert dead.heard == alive.heard == ["m0", "m1"]


@given(st.lists(st.booleans(), max_size=8), st.integers(1, 4))
def test_order_holds_whatever_is_refused(answers: list[bool], count: int) -> None:
    channel = Listener("a", list(answers))
    channels: list[Channel] = [channel]
    outbox = messages(count)
    for hour in range(20):
        outbox = deliver(outbox, channels, NOW + timedelta(hours=hour))
    assert channel.heard == [f"m{n}" for n in range(count)]
