"""Posting and delivering with real storage: what fails or dies delays and loses nothing."""

import base64
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.queue import QueueClient
from pydantic import SecretStr

from handlers.deliver import OF_ONE_CHANNEL, THREADS, deliver
from tests.planned import NOW, come_to, desired, release, until
from tests.receiver import receiving
from tuneops import documents
from tuneops.message import Delivery, Message
from tuneops.notify.carrier import carry
from tuneops.notify.channel import Channel, ChannelBusyError, ChannelError
from tuneops.notify.channels.broken import BrokenChannel
from tuneops.notify.health import ChannelHealth, read_health
from tuneops.notify.letter import GIVE_UP_AFTER, LEAST_ATTEMPTS
from tuneops.notify.mailbox import Mailbox
from tuneops.notify.post import post, read_mailboxes
from tuneops.notify.reminding import remind
from tuneops.notify.routing import Route
from tuneops.overview.reading import read_overview
from tuneops.previews import pruning
from tuneops.project import Project
from tuneops.queue import DeliverRequest, MailboxesRequest
from tuneops.release import Phase
from tuneops.services import Services
from tuneops.status import read_status
from tuneops.store import Store

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


class Listener:
    """A channel that writes down what it takes; `answers` says what it does with the next ones."""

    def __init__(self, name: str = "chat", route: Route | None = None) -> None:
        self.id, self.name = name, name.title()
        self.route = route or Route()
        self.answers: list[Exception | None] = []
        self.heard: list[str] = []
        self.threads: list[str] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def send(self, message: Message, thread: str) -> str:
        self.meanwhile()
        if self.answers and (error := self.answers.pop(0)):
            raise error
        self.heard.append(message.key)
        self.threads.append(thread)
        return f"thread-of-{message.release}"


class Post:
    """A TuneOps with these channels, at a time that tests move."""

    def __init__(self, services: Services, *channels: Channel) -> None:
        self.services = services
        vars(services)["people"] = channels
        self.now = datetime.now(UTC)

    def message(self, key: str, release: int | None = 1, **given: Any) -> Message:
        return Message(
            key=key,
            event="live",
            title=key,
            text="What happened.",
            at=self.now,
            project="bot",
            release=release,
            **given,
        )

    def post(self, *keys: str, stream: str = "bot") -> None:
        new = [self.message(key) for key in keys]
        posted = post(self.services, stream, new, self.services.people)
        assert all(message.posted for message in posted)

    def carry(
        self,
        stream: str = "bot",
        channel: str = "chat",
        later: timedelta = SECOND,
        wake: str | None = None,
    ) -> None:
        self.now += later
        request = DeliverRequest(channel=channel, stream=stream, wake=wake)
        carry(request, self.services, lambda: self.now)

    def box(self, stream: str = "bot", channel: str = "chat") -> Mailbox:
        return read_mailboxes(self.services.store, stream)[channel]

    def asked(self) -> list[dict[str, Any]]:
        """What is on the queue now, which is empty afterwards."""
        found = list(self.queue.receive_messages(max_messages=99))
        self.queue.clear_messages()
        return [json.loads(base64.b64decode(each.content)) for each in found]

    def taken(self) -> list[bytes]:
        """What is due on the queue, as a host takes it."""
        found = list(self.queue.receive_messages(max_messages=99, visibility_timeout=600))
        for each in found:
            self.queue.delete_message(each)
        return [base64.b64decode(each.content) for each in found]

    @property
    def queue(self) -> QueueClient:
        settings = self.services.settings
        assert settings.storage_connection_string is not None
        connection = settings.storage_connection_string.get_secret_value()
        return QueueClient.from_connection_string(connection, settings.deliver_queue)

    def health(self, channel: str = "chat") -> ChannelHealth:
        (found,) = (each for each in read_health(self.services.store) if each.id == channel)
        return found


@pytest.fixture
def chat() -> Listener:
    return Listener()


@pytest.fixture
def office(services: Services, chat: Listener) -> Post:
    return Post(services, chat)


def test_what_is_posted_is_delivered_in_order_and_once(office: Post, chat: Listener) -> None:
    office.post("a", "b")
    office.post("b", "c")
    assert office.asked() == [DeliverRequest(channel="chat", stream="bot").model_dump()] * 2
    for _ in range(2):
        office.carry()
    assert chat.heard == ["a", "b", "c"]
    assert chat.threads == ["", "thread-of-1", "thread-of-1"]
    office.post("a", "b", "c")
    assert office.asked() == [], "nobody needs to come"
    assert office.health().healthy
    assert office.health().last_success


def test_it_goes_to_those_who_want_it(services: Services) -> None:
    everybody, night_shift, only = Listener(), Listener("night", Route(severity="error")), "only"
    office = Post(services, everybody, night_shift, Listener(only, Route(events=())))
    messages = [office.message("info"), office.message("error", severity="error")]
    post(services, "bot", [*messages, office.message("one", only=only)], services.people)
    owed = read_mailboxes(services.store, "bot")
    assert {name: [letter.key for letter in box.owed] for name, box in owed.items()} == {
        "chat": ["info", "error"],
        "night": ["error"],
        "only": ["one"],
    }


def test_what_an_earlier_version_delivered_by_half_is_delivered_to_the_end(
    services: Services,
) -> None:
    """Not what a channel has taken, and nothing of it to one that was added since."""
    chat, mail, new = Listener(), Listener("mail"), Listener("new")
    office = Post(services, chat, mail, new)
    taken, failed = Delivery(sent_at=office.now, attempts=1), Delivery(attempts=3, error="down")
    old = [
        office.message("a", deliveries={"chat": taken, "mail": failed}),
        office.message("b", deliveries={"chat": taken}),
        office.message("c"),
    ]
    post(services, "bot", old, services.people)
    for channel in ("chat", "mail", "new"):
        office.carry(channel=channel)
    assert (chat.heard, mail.heard, new.heard) == (["c"], ["a", "b", "c"], ["c"])
    assert [each.sent_at for each in office.box().settled][:2] == [taken.sent_at] * 2


def test_a_failed_message_holds_up_those_behind_it_until_its_time(
    office: Post, chat: Listener
) -> None:
    chat.answers = [
        ChannelError("down, token=0123456789abcdef"),
        None,
        ChannelError("busy", retry_after=90),
    ]
    office.post("a", "b", "c")
    office.asked()
    for _ in range(3):
        office.carry(later=timedelta(0))
    assert chat.heard == []
    box = office.box()
    assert box.owed[0].error == "down, token=[hidden]"
    assert box.wake
    assert SECOND <= box.wake.at - office.now <= 12 * SECOND
    assert office.queue.get_queue_properties().approximate_message_count == 1, "one will come"
    office.carry(later=12 * SECOND, wake=box.wake.id)
    assert chat.heard == ["a"]
    wake = office.box().wake
    assert wake
    assert 90 * SECOND <= wake.at - office.now <= 100 * SECOND
    office.carry(later=100 * SECOND, wake=wake.id)
    assert (chat.heard, office.box().wake) == (["a", "b", "c"], None)


def test_what_is_refused_for_good_is_given_up_and_shown(office: Post, chat: Listener) -> None:
    chat.answers = [ChannelError("too large", permanent=True)]
    office.post("a")
    office.carry()
    assert (office.health().healthy, office.health().error) == (False, "too large")
    assert office.health().given_up == 1
    office.post("b")
    office.carry()
    assert (chat.heard, office.health().healthy) == (["b"], True)


def test_a_channel_that_is_busy_is_not_ill(office: Post, chat: Listener) -> None:
    chat.answers = [ChannelBusyError("another is at it")]
    office.post("a")
    office.carry()
    assert (chat.heard, read_health(office.services.store)) == ([], [])
    office.carry(later=12 * SECOND)
    assert chat.heard == ["a"]


def test_an_error_of_a_channel_is_no_error_of_the_worker(office: Post, chat: Listener) -> None:
    chat.answers = [ValueError("https://hooks.example/secret")]
    office.post("a")
    office.carry()
    assert office.health().error == "internal error (ValueError)"
    office.carry(later=12 * SECOND)
    assert chat.heard == ["a"]


def test_while_a_channel_fails_one_at_a_time_tries_it(office: Post, chat: Listener) -> None:
    streams = [f"bot-{n}" for n in range(4)]
    for stream in streams:
        office.post(f"{stream}:1", stream=stream)
    chat.answers = [ChannelError("down")] * 2
    for _ in range(2):
        before = len(chat.answers)
        for stream in streams:
            office.carry(stream, later=timedelta(0))
        assert len(chat.answers) == before - 1
        assert office.health().waiting == len(streams)
        office.now += HOUR
    for stream in streams:
        office.carry(stream)
    assert sorted(chat.heard) == [f"{stream}:1" for stream in streams]
    assert (office.health().healthy, office.health().waiting) == (True, 0)


def test_what_waits_for_a_dead_channel_is_given_up_after_a_day(
    office: Post, chat: Listener
) -> None:
    """Be it that another stream's messages are those which were tried."""
    chat.answers = [ChannelError("down")] * 99
    office.post("a", stream="bot")
    office.post("b", stream="other")
    for _ in range(LEAST_ATTEMPTS):
        office.carry("bot", later=HOUR)
    office.carry("other", later=timedelta(0))
    assert office.health().waiting == 2
    office.carry("bot", later=GIVE_UP_AFTER)
    office.carry("other", later=timedelta(0))
    assert (office.health().waiting, office.health().given_up) == (0, 2)
    assert [each.sent_at for each in office.box().settled] == [None]
    chat.answers = []
    office.post("c", stream="other")
    office.carry("other", later=HOUR)
    assert chat.heard == ["c"]


def test_a_crash_at_any_write_loses_nothing(
    office: Post, chat: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies after a message was sent sends that once more, and no other."""
    real, calls = Store.write, 0
    for crash_at in range(1, 9):
        calls = 0

        def dies(store: Store, path: str, *arguments: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == crash_at:  # noqa: B023
                raise ConnectionError(path)
            return real(store, path, *arguments, **named)

        monkeypatch.setattr(Store, "write", dies)
        stream, keys = f"bot-{crash_at}", [f"{crash_at}{key}" for key in "abc"]
        for _ in range(3):
            try:
                office.post(*keys, stream=stream)
                office.carry(stream)
            except ConnectionError:
                continue
        told = [key for key in chat.heard if key in keys]
        assert list(dict.fromkeys(told)) == keys
        assert len(told) <= len(keys) + 1
        monkeypatch.undo()


def test_a_lost_message_is_made_up_for(services: Services, chat: Listener) -> None:
    lossy = Post(Services(services.settings.model_copy(update={"deliver_queue": "-"})), chat)
    with pytest.raises(HttpResponseError):
        lossy.post("a")
    office = Post(services, chat)
    assert office.asked() == []
    deliver(MailboxesRequest().model_dump_json().encode(), services)
    (asked,) = office.asked()
    deliver(json.dumps(asked).encode(), services)
    assert chat.heard == ["a"]
    chat.answers = [ChannelError("down")]
    office.post("b")
    office.carry()
    office.asked()
    remind(services, office.now + 30 * SECOND)
    assert office.asked() == [], "a message for that is on its way"
    remind(services, office.now + 90 * SECOND)
    (asked,) = office.asked()
    assert asked == DeliverRequest(channel="chat", stream="bot").model_dump()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"nonsense", id="no-json"),
        pytest.param(b'{"kind": "deliver", "channel": "a/b", "stream": "bot"}', id="a-path"),
        pytest.param(b'{"kind": "deliver", "channel": "a", "stream": "../bot"}', id="no-stream"),
        pytest.param(b'{"kind": "deliver", "channel": "a", "stream": "no.bot"}', id="no-source"),
        pytest.param(b'{"kind": "deliver", "channel": "a", "stream": "bot~1"}', id="nothing-owed"),
    ],
)
def test_what_is_no_request_or_of_nothing_is_dropped(office: Post, body: bytes) -> None:
    deliver(body, office.services)
    assert office.asked() == []


def test_a_mailbox_is_emptied_by_one_and_filled_meanwhile(office: Post, chat: Listener) -> None:
    """Who posts waits for nobody; who comes second comes again."""
    posted: list[float] = []

    def meanwhile() -> None:
        chat.meanwhile = lambda: None
        begun = time.monotonic()
        office.post("b")
        posted.append(time.monotonic() - begun)
        office.asked()
        office.carry(later=timedelta(0))

    chat.meanwhile = meanwhile
    office.post("a")
    office.carry()
    assert chat.heard == ["a", "b"]
    assert posted[0] < 5
    assert office.queue.get_queue_properties().approximate_message_count == 1


def test_a_channel_that_is_gone_holds_its_messages_for_a_day(services: Services) -> None:
    office = Post(services, Listener("gone"))
    office.post("a")
    back = Post(Services(services.settings), Listener())
    back.carry(channel="gone")
    assert back.health("gone").error == "no channel of this name is in the settings"
    remind(back.services, back.now)
    assert back.health("gone").waiting == 1
    for _ in range(LEAST_ATTEMPTS):
        back.carry(channel="gone", later=3 * HOUR)
    assert back.box(channel="gone").owed == ()
    remind(back.services, back.now)
    assert read_health(services.store) == []


def test_what_a_route_leaves_out_by_now_is_not_sent(services: Services) -> None:
    office = Post(services, Listener())
    office.post("a", "b")
    narrow = Listener(route=Route(severity="error"))
    later = Post(Services(services.settings), narrow)
    post(later.services, "bot", [later.message("c", severity="error")], [narrow])
    later.carry()
    assert narrow.heard == ["c"]
    became = {each.key: each.sent_at is not None for each in later.box().settled}
    assert became == {"a": False, "b": False, "c": True}


def test_a_channel_whose_settings_are_wrong_is_shown_before_it_is_needed(
    services: Services,
) -> None:
    """Else nobody would know until the night in which it has something to tell."""
    route = Route(severity="error")
    office = Post(services, BrokenChannel("teams.oncall", "oncall", route, "no such secret"))
    remind(services, office.now)
    remind(services, office.now + HOUR)
    seen = office.health("teams.oncall")
    assert (seen.failing_since, seen.error, seen.waiting) == (office.now, "no such secret", 0)
    overview = read_overview(services.store)
    assert overview is not None
    assert [each.error for each in overview.value.channels] == ["no such secret"]
    mended = Post(Services(services.settings), Listener("teams.oncall"))
    remind(mended.services, office.now + HOUR)
    assert read_health(services.store) == []


def test_a_mailbox_that_can_not_be_read_is_made_anew(office: Post, chat: Listener) -> None:
    office.post("a")
    container = office.services.blobs.get_container_client(office.services.settings.state_container)
    container.upload_blob(documents.mailbox("chat", "bot"), b"[]", overwrite=True)
    assert read_mailboxes(office.services.store, "bot") == {}
    office.carry()
    office.post("b")
    office.carry()
    assert chat.heard == ["b"]


def test_the_status_says_when_the_first_channel_took_it(office: Post) -> None:
    store, by_earlier = office.services.store, Delivery(sent_at=NOW)
    old = office.message("old").replace(deliveries={"chat": by_earlier}, posted=True)
    told, owed = office.message("told"), office.message("owed")
    made = release().replace(outbox=(old, told, owed))
    store.write(documents.desired("bot"), desired(), etag=None)
    store.write(documents.release("bot", 1), made, etag=None)
    store.write(documents.project("bot"), Project(name="bot", current=1), etag=None)
    office.post("told")
    office.carry()
    office.post("owed")
    (status,) = read_status(office.services).projects
    assert status.release
    assert status.release.messages == {"old": NOW, "told": office.now, "owed": None}


def test_a_previews_end_waits_an_hour_at_most_for_word_of_it(office: Post) -> None:
    key, now = "bot~12", office.now
    retired = come_to(release(name="bot"), Phase.RETIRED, now).replace(project=key)
    assert pruning.pause(retired, office.services, now) is None
    office.post("gone", stream=key)
    assert pruning.pause(retired, office.services, now) == pruning.LEAST_PAUSE
    assert pruning.pause(retired, office.services, now + 2 * HOUR) is None
    assert pruning.pause(retired.replace(project="bot"), office.services, now) is None
    office.carry(key)
    assert pruning.pause(retired, office.services, now) is None


def test_a_digest_is_one_message_at_its_time(services: Services) -> None:
    daily = Listener("chat", Route(digest="daily"))
    office = Post(services, daily)
    office.post("a", "b")
    office.carry()
    assert daily.heard == []
    office.carry(later=24 * HOUR)
    (digest,) = daily.heard
    assert digest not in ("a", "b")
    sent = {each.key: each.sent_at for each in office.box().settled}
    assert list(sent) == ["a", "b"]
    assert len(set(sent.values())) == 1


def test_receivers_that_fail_hang_or_refuse_delay_no_other(services: Services) -> None:
    """The hanging one hangs until the others have got everything."""
    with ExitStack() as stack:
        hanging, good, slow = (stack.enter_context(receiving(seconds=n)) for n in (600, 0, 0.1))
        failing = stack.enter_context(receiving(500))
        with receiving() as refusing:
            pass
        receivers = (hanging, failing, refusing, good, slow)
        urls = [SecretStr(each.url()) for each in receivers]
        made = Services(services.settings.model_copy(update={"notify_urls": urls}))
        office = Post(made, *made.people)
        expected = {f"bot-{n}": [f"bot-{n}: a", f"bot-{n}: b"] for n in range(OF_ONE_CHANNEL + 1)}
        for stream, titles in expected.items():
            office.post(*titles, stream=stream)
        count = 2 * len(expected)
        pool = stack.enter_context(ThreadPoolExecutor(THREADS))
        stack.callback(hanging.over.set)

        def got_all() -> bool:
            for asked in office.taken():
                pool.submit(deliver, asked, made)
            return len(good.titles) == len(slow.titles) == count and hanging.asked > 0

        until(got_all)
        assert hanging.asked <= OF_ONE_CHANNEL
        for receiver in (good, slow):
            for stream, titles in expected.items():
                assert [each for each in receiver.titles if each.startswith(stream)] == titles
        hanging.over.set()
        until(lambda: sum(not each.healthy for each in read_health(made.store)) == 3)
        health = read_health(made.store)
        assert [(each.healthy, each.waiting) for each in health] == [
            *[(False, count)] * 3,
            *[(True, 0)] * 2,
        ]
        boxes = read_mailboxes(made.store, "bot-0").values()
        errors = [letter.error for box in boxes for letter in box.owed]
        assert "Hunter2" not in str([*errors, *(each.error for each in health)])
