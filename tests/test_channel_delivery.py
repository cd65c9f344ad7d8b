"""Every channel delivers to a receiver on this machine, and says what is wrong when it can't."""

import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from jsonschema import Draft202012Validator

from tests.receivers import BIG, DRIP, HANG, Authority, MailServer, Receiver, Talker
from tests.shapes import CLOUD_EVENT, SLACK_MESSAGE, TEAMS_MESSAGE
from tests.told import AT, FAILED, HOSTILE, LIVE
from tuneops.message import Message
from tuneops.notify.channel import Channel, ChannelError
from tuneops.notify.channels import mail, post
from tuneops.notify.channels.making import make_channels

SIGNING = "a secret of the webhook"
TOKEN = "xoxb-1234567890-abcdefghijkl"


class Identity:
    """The app's identity."""

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        assert scopes == ("https://eventgrid.azure.net/.default",)
        return AccessToken("token-of-the-app", int(time.time()) + 3600)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def receiver_of_all(authority: Authority) -> Iterator[Receiver]:
    receiver = Receiver(authority.server_side())
    yield receiver
    receiver.close()


@pytest.fixture
def receiver(
    receiver_of_all: Receiver, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Receiver]:
    """The receiver, trusted, with nothing received."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    post._trust.cache_clear()
    mail._trust.cache_clear()
    yield receiver_of_all
    receiver_of_all.forget()
    post._trust.cache_clear()
    mail._trust.cache_clear()


def made(kind: str, secrets: dict[str, str], **fields: Any) -> Channel:
    """The channel that these settings make."""
    text = json.dumps([{"name": "ml-team", "kind": kind, **fields}])
    environment = {f"TUNEOPS_CHANNEL_{name}": value for name, value in secrets.items()}
    (channel,) = make_channels(text, [], environment, Identity)
    assert channel.id == f"{kind}.ml-team"
    return channel


def teams(url: str) -> Channel:
    return made("teams", {"URL": f"{url}/workflows/abc/sig"}, url_setting="TUNEOPS_CHANNEL_URL")


def slack_hook(url: str) -> Channel:
    return made("slack", {"URL": f"{url}/services/T0/B0"}, url_setting="TUNEOPS_CHANNEL_URL")


def slack_bot(url: str) -> Channel:
    given = {"token_setting": "TUNEOPS_CHANNEL_T", "channel": "#ml"}
    return made("slack", {"T": TOKEN}, api_url=f"{url}/api", **given)


def webhook(url: str) -> Channel:
    given = {"url_setting": "TUNEOPS_CHANNEL_URL", "secret_setting": "TUNEOPS_CHANNEL_S"}
    return made("webhook", {"URL": f"{url}/hook/TOP5ECRET", "S": SIGNING}, **given)


def event_grid(url: str, **fields: Any) -> Channel:
    return made("event-grid", {"K": "a key"}, endpoint=f"{url}/api/events", **fields)


def check(schema: dict[str, Any], value: object) -> None:
    Draft202012Validator(schema).validate(value)


@pytest.mark.parametrize("message", [LIVE, HOSTILE], ids=["live", "hostile"])
def test_teams_gets_a_card(receiver: Receiver, message: Message) -> None:
    receiver.default = (202, {}, b"")
    assert teams(receiver.url).send(message, "") == ""
    (request,) = receiver.received
    assert request.path == "/workflows/abc/sig"
    assert request.headers["content-type"] == "application/json"
    check(TEAMS_MESSAGE, request.json)


@pytest.mark.parametrize("message", [LIVE, HOSTILE], ids=["live", "hostile"])
def test_slack_gets_blocks_by_a_webhook(receiver: Receiver, message: Message) -> None:
    assert slack_hook(receiver.url).send(message, "") == ""
    check(SLACK_MESSAGE, receiver.received[0].json)


def slack_says(**said: Any) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, json.dumps(said).encode()


def test_a_bot_keeps_a_release_in_one_thread(receiver: Receiver) -> None:
    channel = slack_bot(receiver.url)
    receiver.answers = [slack_says(ok=True, ts="1.2"), slack_says(ok=True, ts="3.4")]
    thread = channel.send(LIVE.replace(event="queued"), "")
    assert channel.send(FAILED, thread) == thread == "1.2"
    first, second = (request.json for request in receiver.received)
    check(SLACK_MESSAGE, first)
    check(SLACK_MESSAGE, second)
    assert (first["channel"], "thread_ts" in first) == ("#ml", False)
    assert (second["thread_ts"], second["reply_broadcast"]) == ("1.2", True)
    assert receiver.received[0].path == "/api/chat.postMessage"
    assert receiver.received[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_a_thread_that_was_deleted_is_begun_anew(receiver: Receiver) -> None:
    receiver.answers = [
        slack_says(ok=False, error="thread_not_found"),
        slack_says(ok=True, ts="5.6"),
    ]
    assert slack_bot(receiver.url).send(LIVE, "1.2") == "5.6"
    assert "thread_ts" not in receiver.received[1].json


@pytest.mark.parametrize(
    ("answer", "text", "permanent"),
    [
        (slack_says(ok=False, error="channel_not_found"), "Slack: channel_not_found", False),
        (slack_says(ok=False, error="invalid_blocks"), "Slack: invalid_blocks", True),
        (slack_says(ok=False, error="<b>"), "the answer is none of Slack's", False),
        ((200, {}, b"<html>"), "the answer is none of Slack's", False),
    ],
)
def test_slack_says_no_with_200(
    receiver: Receiver, answer: Any, text: str, permanent: bool
) -> None:
    receiver.answers = [answer]
    with pytest.raises(ChannelError) as raised:
        slack_bot(receiver.url).send(LIVE, "")
    assert (str(raised.value), raised.value.permanent) == (text, permanent)


def test_a_webhook_is_signed(receiver: Receiver) -> None:
    assert webhook(receiver.url).send(LIVE, "") == ""
    (request,) = receiver.received
    at = request.headers["x-tuneops-timestamp"]
    assert abs(time.time() - int(at)) < 60
    signed = f"{at}.".encode() + request.body
    digest = hmac.new(SIGNING.encode(), signed, hashlib.sha256).hexdigest()
    assert request.headers["x-tuneops-signature-256"] == f"sha256={digest}"
    schema = json.loads((Path(__file__).parents[1] / "schemas/message.schema.json").read_text())
    check(schema, request.json)
    assert request.json["id"] == LIVE.key
    assert request.json["links"] == LIVE.links


def test_a_topic_gets_a_cloud_event_by_key(receiver: Receiver) -> None:
    given = {"key_setting": "TUNEOPS_CHANNEL_K", "source": "/tuneops/west"}
    assert event_grid(receiver.url, **given).send(LIVE, "") == ""
    (request,) = receiver.received
    assert request.path.startswith("/api/events?api-version=")
    assert request.headers["aeg-sas-key"] == "a key"
    assert request.headers["content-type"].startswith("application/cloudevents-batch+json")
    (event,) = request.json
    check(CLOUD_EVENT, event)
    assert (event["type"], event["source"]) == ("TuneOps.Release.Live", "/tuneops/west")
    assert (event["id"], event["subject"]) == (LIVE.key, "projects/bot/releases/3")
    assert event["time"].startswith(AT.isoformat()[:19])
    assert event["data"]["figure"] == LIVE.figure


def test_a_topic_knows_the_app_by_its_identity(receiver: Receiver) -> None:
    event_grid(receiver.url).send(LIVE, "")
    assert receiver.received[0].headers["authorization"] == "Bearer token-of-the-app"


@pytest.mark.parametrize(
    ("status", "text", "permanent"),
    [
        (401, "EventGrid Data Sender", False),
        (302, "status 302", False),
        (400, "status 400", True),
        (503, "status 503", False),
    ],
)
def test_a_topic_that_refuses(receiver: Receiver, status: int, text: str, permanent: bool) -> None:
    receiver.default = (status, {"retry-after": "30"}, b"{}")
    with pytest.raises(ChannelError, match=text) as raised:
        event_grid(receiver.url).send(LIVE, "")
    assert (raised.value.permanent, raised.value.retry_after) == (permanent, 30)
    assert len(receiver.received) == 1


def test_apprise_carries_the_rest(receiver: Receiver) -> None:
    plain = Receiver(None)
    try:
        url = f"json://127.0.0.1:{plain.port}/inbox"
        channel = made("apprise", {"URL": url}, url_setting="TUNEOPS_CHANNEL_URL")
        assert channel.send(LIVE, "") == ""
        told = plain.received[0].json
        assert (told["title"], told["type"]) == (LIVE.title, "success")
        assert "Figure: eval_loss 1.412" in told["message"]
        plain.default = (500, {}, b"")
        with pytest.raises(ChannelError, match="did not take"):
            channel.send(FAILED, "")
    finally:
        plain.close()


POSTING = [teams, slack_hook, slack_bot, webhook]


@pytest.mark.parametrize("channel", POSTING)
@pytest.mark.parametrize(
    ("answer", "text", "pause"),
    [
        ((500, {}, b"went wrong"), "status 500: went wrong", None),
        ((429, {"retry-after": "17"}, b""), "status 429", 17),
        ((503, {"retry-after": "9" * 9}, b""), "status 503", 3600),
        ((404, {}, b"gone"), "status 404: gone", None),
        ((302, {"location": "https://localhost/"}, b""), "status 302: it redirects", None),
        ((500, {}, BIG), "status 500: xxx", None),
    ],
    ids=["500", "429", "503", "404", "302", "10 MB"],
)
def test_a_receiver_that_refuses(
    receiver: Receiver,
    channel: Callable[[str], Channel],
    answer: Any,
    text: str,
    pause: float | None,
) -> None:
    receiver.default = answer
    with pytest.raises(ChannelError) as raised:
        channel(receiver.url).send(LIVE, "")
    assert str(raised.value).startswith(text)
    assert len(str(raised.value)) < 300
    assert (raised.value.permanent, raised.value.retry_after) == (False, pause)
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    ("channel", "permanent"), [(teams, False), (slack_hook, True), (webhook, True)]
)
def test_a_message_that_will_never_be_taken(
    receiver: Receiver, channel: Callable[[str], Channel], permanent: bool
) -> None:
    """But for Teams, whose workflows answer so as well while they are switched off."""
    receiver.default = (400, {}, b"invalid_payload")
    with pytest.raises(ChannelError, match="status 400: invalid_payload") as raised:
        channel(receiver.url).send(LIVE, "")
    assert raised.value.permanent == permanent


@pytest.mark.parametrize("answer", [HANG, DRIP])
def test_a_receiver_that_never_ends_is_left(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr(post, "TOTAL_SECONDS", 0.4)
    receiver.default = answer  # type: ignore[assignment]
    began = time.monotonic()
    with pytest.raises(ChannelError, match="no answer") as raised:
        webhook(receiver.url).send(LIVE, "")
    assert time.monotonic() - began < 3
    assert not raised.value.permanent


@pytest.mark.parametrize(
    "answer", [(200, {}, BIG), (200, {"content-length": "9"}, b"cut")], ids=["10 MB", "cut off"]
)
def test_a_message_is_taken_whatever_is_said_of_it(receiver: Receiver, answer: Any) -> None:
    receiver.default = answer
    webhook(receiver.url).send(LIVE, "")
    assert len(receiver.received) == 1


def test_on_this_machine_no_encryption_is_needed() -> None:
    plain = Receiver(None)
    try:
        webhook(plain.url).send(LIVE, "")
        assert plain.received[0].json["id"] == LIVE.key
    finally:
        plain.close()


def test_nobody_there(receiver: Receiver) -> None:
    gone = Receiver(None)
    gone.close()
    for channel in (webhook, event_grid):
        with pytest.raises(ChannelError, match=r"no answer|can't be reached"):
            channel(f"https://localhost:{gone.port}").send(LIVE, "")


def test_a_certificate_of_somebody_else(receiver: Receiver, tmp_path: Path) -> None:
    other = Receiver(Authority(tmp_path).server_side())
    try:
        with pytest.raises(ChannelError, match="certificate is not trusted"):
            webhook(other.url).send(LIVE, "")
        assert other.received == []
    finally:
        other.close()


def test_no_secret_is_shown(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """Not even when the receiver repeats all that it was sent."""
    caplog.set_level(logging.DEBUG)
    for channel in POSTING:
        whole = json.dumps([TOKEN, f"{receiver.url}/hook/TOP5ECRET", SIGNING, "/workflows/abc/sig"])
        receiver.default = (500, {}, f"you sent {whole}".encode())
        with pytest.raises(ChannelError) as raised:
            channel(receiver.url).send(LIVE, "")
        shown = {slack_bot: TOKEN, webhook: "TOP5ECRET"}.get(channel, "/workflows/abc/sig")
        if channel is not slack_hook:
            assert shown not in str(raised.value)
    receiver.default = (200, {}, b"")
    webhook(receiver.url).send(LIVE, "")
    ours = [each for each in caplog.records if not each.name.startswith(("asyncio", "httpcore2"))]
    assert "TOP5ECRET" not in " ".join(each.getMessage() for each in ours)


@pytest.mark.parametrize("name", ["IDENTITY_ENDPOINT", "MSI_ENDPOINT"])
def test_nothing_goes_to_where_identities_are_kept(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    channel = webhook(receiver.url)
    monkeypatch.setenv(name, f"http://127.0.0.1:{receiver.port}/msi/token")
    with pytest.raises(ChannelError, match="identity"):
        channel.send(LIVE, "")
    assert receiver.received == []


def test_a_name_that_leads_to_the_platform(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked at once the name is resolved, before anything is sent."""
    monkeypatch.setattr("tuneops.notify.channels.guard._PLATFORM", ())
    channel = webhook(receiver.url)
    asked: list[tuple[str, int]] = []

    def look(host: str, port: int, environment: object) -> None:
        asked.append((host, port))
        raise ChannelError("leads to an address of the platform itself")

    monkeypatch.setattr(post, "check_address", look)
    with pytest.raises(ChannelError, match="platform itself"):
        channel.send(LIVE, "")
    assert asked == [("127.0.0.1", receiver.port)]
    assert receiver.received == []


@pytest.fixture(scope="module")
def mail_server(authority: Authority) -> Iterator[tuple[MailServer, int]]:
    server = MailServer(authority.server_side())
    with server.running() as port:
        yield server, port


def by_mail(port: int, password: str, **more: Any) -> Channel:
    given = {"sender": "tuneops@example.com", "to": ["ml@example.com", "ops@example.com"]}
    login = {"username": "tuneops", "password_setting": "TUNEOPS_CHANNEL_P"}
    return made("mail", {"P": password}, host="localhost", port=port, **login, **given, **more)


@pytest.mark.parametrize("message", [LIVE, HOSTILE], ids=["live", "hostile"])
def test_a_mail_is_sent_with_starttls_and_login(
    receiver: Receiver, mail_server: tuple[MailServer, int], message: Message
) -> None:
    server, port = mail_server
    server.mails.clear()
    assert by_mail(port, server.password).send(message, "") == ""
    ((to, sent),) = server.mails
    assert to == ["ml@example.com", "ops@example.com"]
    assert sent["Subject"] == "bot: release 3"
    assert sent["Bcc"] is None
    assert "<script>" not in sent.get_body(("html",)).get_content()
    assert not any(part.defects for part in sent.walk())


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
def test_a_mail_is_sent_by_tls(receiver: Receiver, authority: Authority) -> None:
    server = MailServer(authority.server_side())
    with server.running(tls=True) as port:
        by_mail(port, server.password, security="tls").send(LIVE, "")
    assert len(server.mails) == 1


def test_a_mail_server_without_encryption_gets_no_password() -> None:
    plain = Talker(b"250 hello\r\n")
    try:
        with pytest.raises(ChannelError, match="STARTTLS extension not supported"):
            by_mail(plain.port, "x").send(LIVE, "")
    finally:
        plain.close()


def test_a_mail_server_that_refuses(
    receiver: Receiver, mail_server: tuple[MailServer, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, port = mail_server
    with pytest.raises(ChannelError, match=r"login was refused \(535\)") as raised:
        by_mail(port, "wrong").send(LIVE, "")
    assert not raised.value.permanent
    for line, permanent in (("554 spam", True), ("451 later", False)):
        monkeypatch.setattr(server, "refuse", line)
        with pytest.raises(ChannelError, match=r"the mail was refused") as raised:
            by_mail(port, server.password).send(LIVE, "")
        assert raised.value.permanent == permanent


def test_a_mail_server_that_hangs(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """This one waits for a TLS handshake, and says nothing by itself."""
    monkeypatch.setattr(mail, "STEP_SECONDS", 0.3)
    began = time.monotonic()
    with pytest.raises(ChannelError, match="no answer of the mail server"):
        by_mail(receiver.port, "x").send(LIVE, "")
    assert time.monotonic() - began < 3


def test_a_mail_server_that_talks_without_end(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "TOTAL_SECONDS", 0.4)
    endless = Talker()
    try:
        with pytest.raises(ChannelError, match="no answer of the mail server"):
            by_mail(endless.port, "x").send(LIVE, "")
    finally:
        endless.close()


def test_a_mail_server_nobody_trusts(
    receiver: Receiver, mail_server: tuple[MailServer, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    mail._trust.cache_clear()
    with pytest.raises(ChannelError, match="certificate is not trusted"):
        by_mail(mail_server[1], mail_server[0].password).send(LIVE, "")
