"""What channels make of a message has their published shape, and nothing foreign is markup."""

import json
from email import message_from_bytes, policy
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator, FormatChecker

from tests.shapes import CLOUD_EVENT, SLACK_MESSAGE, TEAMS_MESSAGE
from tests.told import FAILED, HOSTILE, LIVE, NASTY, messages
from tuneops.message import Message
from tuneops.notify.channels import published, words
from tuneops.notify.channels.adaptive_card import MAX_BYTES, envelope
from tuneops.notify.channels.apprise_url import unmentioned
from tuneops.notify.channels.blocks import payload
from tuneops.notify.channels.event_grid import cloud_event, event_type
from tuneops.notify.channels.letter import letter
from tuneops.notify.channels.picture import picture

SENDER, TO = "tuneops@example.com", ("ml@example.com", "ops@example.com")
FEW = settings(max_examples=40, deadline=None)


def check(schema: dict[str, object], value: object) -> None:
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(value)


def test_a_card_tells_everything() -> None:
    card = envelope(LIVE)["attachments"][0]["content"]
    shown = json.dumps(card)
    for text in (LIVE.title, LIVE.model, LIVE.why, LIVE.figure, LIVE.following):
        assert json.dumps(text)[1:-1] in shown
    assert [each["title"] for each in card["actions"]] == ["Page", "Job"]
    assert [each["url"] for each in card["actions"]] == list(LIVE.links.values())
    assert card["body"][0]["style"] == "good"
    assert envelope(FAILED)["attachments"][0]["content"]["body"][0]["style"] == "attention"


def test_blocks_tell_everything() -> None:
    shown = json.dumps(payload(LIVE), ensure_ascii=False)
    for text in (LIVE.title, LIVE.model, LIVE.why, LIVE.figure, LIVE.following, "🟢"):
        assert text in shown
    assert "🔴" in payload(FAILED)["blocks"][0]["text"]["text"]


@FEW
@given(messages)
def test_whatever_is_told_has_the_published_shape(message: Message) -> None:
    card, slack = envelope(message), payload(message)
    check(TEAMS_MESSAGE, card)
    assert len(json.dumps(card, ensure_ascii=False).encode()) < MAX_BYTES
    check(SLACK_MESSAGE, slack)
    assert len(json.dumps(slack, ensure_ascii=False)) < 13_000
    event = cloud_event(message, "/tuneops")
    check(CLOUD_EVENT, event)
    schema = json.loads(published.json_schema())
    check(schema, event["data"])
    check(schema, json.loads(published.published(message).model_dump_json()))


def test_foreign_text_is_text_in_a_card_and_in_blocks() -> None:
    """Where a kind of element has markup, no text stands in it."""
    card = envelope(HOSTILE)["attachments"][0]["content"]
    assert '"TextBlock"' not in json.dumps(card)
    assert "mrkdwn" not in json.dumps(payload(HOSTILE)["blocks"])
    assert payload(HOSTILE)["text"].startswith("bot: &lt;script&gt;")
    assert card["fallbackText"].startswith("bot: scriptalert(1)/script bold it")
    assert "[" not in card["fallbackText"]
    assert card["body"][0]["items"][0]["inlines"][0]["text"] == f"bot: {NASTY} Bcc: all@example.com"
    assert [each["url"] for each in card["actions"]] == ["http://a/"]


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]


OURS = {
    *("html", "head", "meta", "title", "body", "h1", "p", "table", "tr", "th", "td", "img", "a")
}


@FEW
@given(messages)
def test_whatever_is_told_is_a_mail(message: Message) -> None:
    mail = message_from_bytes(letter(message, SENDER, TO, b"PNG").as_bytes(), policy=policy.SMTP)
    assert {name.lower() for name, _ in mail.items()} <= {
        *("from", "to", "subject", "date", "message-id", "in-reply-to", "references"),
        *("importance", "auto-submitted", "x-tuneops-event", "mime-version", "content-type"),
    }
    assert not any(part.defects for part in mail.walk())
    assert mail["To"] == ", ".join(TO)
    tags = _Tags()
    tags.feed(mail.get_body(("html",)).get_content())
    assert tags.tags <= OURS
    assert all(each.startswith(("cid:", "https://a.example/")) for each in tags.addresses)
    assert mail.get_body(("plain",)).get_content().strip()
    assert all(len(line) <= 998 for line in mail.as_bytes().splitlines())


def test_a_mail_shows_its_curves() -> None:
    mail = letter(LIVE, SENDER, TO, b"\x89PNG")
    html = mail.get_body(("related", "html"))
    assert html is not None
    (picture,) = (part for part in mail.walk() if part.get_content_type() == "image/png")
    assert picture.get_content() == b"\x89PNG"
    assert picture["Content-ID"].strip("<>") in mail.as_string()
    assert f"cid:{picture['Content-ID'].strip('<>')}" in mail.get_body(("html",)).get_content()
    assert 'alt="Curves: loss"' in mail.get_body(("html",)).get_content()
    plain = letter(LIVE, SENDER, TO)
    assert "cid:" not in plain.get_body(("html",)).get_content()


def test_what_has_no_curves_has_no_picture() -> None:
    assert picture(LIVE.replace(curves=())) is None
    drawn = picture(LIVE)
    assert drawn is None or drawn.startswith(b"\x89PNG")


def test_the_mails_of_a_release_are_one_thread() -> None:
    live, failed = letter(LIVE, SENDER, TO), letter(FAILED, SENDER, TO)
    assert live["In-Reply-To"] == failed["In-Reply-To"] == failed["References"]
    assert live["Message-ID"] != failed["Message-ID"]
    assert live["Message-ID"] == letter(LIVE, SENDER, TO)["Message-ID"]
    assert live["Subject"] == failed["Subject"] == "bot: release 3"
    other = letter(LIVE.replace(release=4), SENDER, TO)
    assert other["In-Reply-To"] != live["In-Reply-To"]
    alone = letter(LIVE.replace(release=None), SENDER, TO)
    assert (alone["In-Reply-To"], alone["Subject"]) == (None, LIVE.title)
    assert failed["Importance"] == "high"


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("live", "TuneOps.Release.Live"),
        ("torn_down", "TuneOps.Release.TornDown"),
        ("newer_base_model", "TuneOps.Release.NewerBaseModel"),
        ("summary", "TuneOps.Summary"),
        ("config_invalid", "TuneOps.ConfigInvalid"),
    ],
)
def test_events_have_types(event: str, kind: str) -> None:
    assert event_type(event) == kind


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\r\nb\tc\u2028d", "a b c d"),
        ("x\x00\x1b[31my\u202ez\ud800", "x[31myz"),
        ("  ", ""),
        ("x" * 30, f"{'x' * 19}…"),
    ],
)
def test_lines_are_clean(text: str, line: str) -> None:
    assert words.one_line(text, 20) == line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("hi @everyone and <!channel>", "hi @\u200beveryone and <\u200b!channel>"),
        ("a < b, @ 5 %", "a < b, @ 5 %"),
    ],
)
def test_apprise_mentions_nobody(text: str, shown: str) -> None:
    assert unmentioned(text) == shown


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "https://",
        "https://a/\nb",
        "https://a/ b",
        'https://a/"b',
        "https://[",
        "https://ä/",
        f"https://a/{'b' * 1_000}",
        "data:text/html,x",
    ],
)
def test_what_is_no_plain_address_is_no_link(url: str) -> None:
    assert words.links(LIVE.replace(links={"x": url})) == []
