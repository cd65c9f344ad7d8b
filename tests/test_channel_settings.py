"""TUNEOPS_CHANNELS: what is wrong is said of the one channel, and no secret stands in it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.config_text import config_of, text
from tests.receivers import Receiver
from tests.told import LIVE
from tuneops.cli import app
from tuneops.notify.channel import Channel, ChannelError
from tuneops.notify.channels.broken import BrokenChannel
from tuneops.notify.channels.guard import ForbiddenError, check_address, check_url
from tuneops.notify.channels.making import channel_names, make_channels
from tuneops.notify.channels.post import retry_after
from tuneops.notify.channels.reading import read_channels
from tuneops.notify.channels.settings import KINDS
from tuneops.notify.chosen import unknown_channel
from tuneops.notify.routing import Route, meant
from tuneops.queue import DeliverRequest
from tuneops.scrub import scrub
from tuneops.services import Services
from tuneops.settings import Settings

HOOK = "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXX"
ENVIRONMENT = {
    "TUNEOPS_CHANNEL_URL": "https://hooks.example/x",
    "TUNEOPS_CHANNEL_SECRET": "0123456789abcdef",
    "TUNEOPS_CHANNEL_SHORT": "123",
    "TUNEOPS_CHANNEL_VAULT": "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/x)",
    "TUNEOPS_CHANNEL_PLAIN": "http://hooks.example/x",
    "TUNEOPS_CHANNEL_METADATA": "https://169.254.169.254/metadata",
    "TUNEOPS_GITHUB_WEBHOOK_SECRET": "not to be sent anywhere",
}
URL = {"url_setting": "TUNEOPS_CHANNEL_URL"}
MAIL = {"kind": "mail", "host": "smtp.example", "sender": "a@b.example", "to": ["c@d.example"]}
LOGIN = {"username": "u", "password_setting": "TUNEOPS_CHANNEL_SECRET"}
HOOKED = {"kind": "webhook", **URL, "secret_setting": "TUNEOPS_CHANNEL_SECRET"}
TEAMS = {"kind": "teams", **URL}
GRID = {"kind": "event-grid", "endpoint": "https://t.westeurope-1.eventgrid.azure.net/api/events"}


NEEDED: dict[str, Any] = {
    "subscription_id": "s",
    "resource_group": "g",
    "workspace": "w",
    "github_repository": "contoso/models",
    "github_token": "token",
    "github_webhook_secret": "secret",
}


def nobody() -> Any:
    raise AssertionError("nobody is to be asked for")


def made(*given: Any, urls: tuple[str, ...] = ()) -> tuple[Channel, ...]:
    return make_channels(json.dumps(given), urls, ENVIRONMENT, nobody)


@pytest.mark.parametrize(
    "settings",
    [
        TEAMS,
        {"kind": "slack", **URL},
        {"kind": "slack", "token_setting": "TUNEOPS_CHANNEL_SECRET", "channel": "#ml"},
        {**MAIL, **LOGIN},
        HOOKED,
        GRID,
        {**GRID, "key_setting": "TUNEOPS_CHANNEL_SECRET"},
        {"kind": "apprise", **URL},
    ],
)
def test_each_kind_has_what_it_needs(settings: dict[str, Any]) -> None:
    (channel,) = made({"name": "ml", "projects": ["prod.*"], "severity": "warning", **settings})
    assert not isinstance(channel, BrokenChannel)
    assert (channel.id, channel.name) == (f"{settings['kind']}.ml", "ml")
    assert (channel.route.projects, channel.route.severity) == (("prod.*",), "warning")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"kind": "pager"}, "kind must be one of teams, slack, mail"),
        ({}, "kind must be one of teams"),
        ({"kind": "teams"}, "url_setting: Field required"),
        ({**TEAMS, "colour": "red"}, "colour: unknown field"),
        ({"kind": "slack", "url": HOOK}, "url would be a secret in TUNEOPS_CHANNELS: put it into"),
        ({**MAIL, "password": "x"}, "give that name as password_setting"),
        ({**HOOKED, "secret": "x"}, "give that name as secret_setting"),
        ({"kind": "teams", "url_setting": HOOK}, "url_setting holds a secret itself"),
        ({"kind": "slack", "channel": "xoxb-123456789012-abcdefgh"}, "channel holds a secret"),
        ({"kind": "teams", "url_setting": "TUNEOPS_GITHUB_WEBHOOK_SECRET"}, "begins with TUNEOPS_"),
        ({"kind": "teams", "url_setting": "TUNEOPS_CHANNEL_NONE"}, "_NONE is not there, or is emp"),
        ({"kind": "teams", "url_setting": "TUNEOPS_CHANNEL_VAULT"}, "_VAULT is a Key Vault refer"),
        ({"kind": "teams", "url_setting": "TUNEOPS_CHANNEL_PLAIN"}, "_PLAIN must be an https://"),
        (
            {"kind": "teams", "url_setting": "TUNEOPS_CHANNEL_METADATA"},
            "_METADATA leads to an addr",
        ),
        ({**HOOKED, "secret_setting": "TUNEOPS_CHANNEL_SHORT"}, "_SHORT is shorter than 16"),
        ({"kind": "slack"}, "give either token_setting and channel, or url_setting"),
        ({"kind": "slack", "token_setting": "TUNEOPS_CHANNEL_SECRET"}, "belong together"),
        ({**MAIL, "username": "u"}, "username and password_setting belong together"),
        ({**MAIL, **LOGIN, "security": "none"}, "would send the password in the clear"),
        ({**MAIL, "to": ["a@b.example\r\nBcc: c@d.example"]}, "to.0: String should match"),
        ({**MAIL, "sender": "Ops <a@b.example>"}, "sender: String should match"),
        ({**GRID, "endpoint": "http://t.example/api/events"}, "endpoint: must be an https://"),
        ({**TEAMS, "severity": "loud"}, "severity: Input should be 'info'"),
        ({**TEAMS, "projects": []}, "projects: Tuple should have at least 1 item"),
    ],
)
def test_a_broken_channel_says_what_is_wrong(settings: dict[str, Any], problem: str) -> None:
    broken, other = made({"name": "ml", **settings}, {"name": "other", **HOOKED})
    assert isinstance(broken, BrokenChannel)
    assert not isinstance(other, BrokenChannel)
    assert broken.name == "ml"
    kind = settings.get("kind", "")
    assert broken.id == f"{kind if kind in KINDS else 'unknown'}.ml"
    with pytest.raises(ChannelError, match=r"^TUNEOPS_CHANNELS: ml: ") as raised:
        broken.send(LIVE, "")
    assert problem in str(raised.value)
    assert not raised.value.permanent
    for value in (HOOK, "xoxb", *ENVIRONMENT.values()):
        assert value not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("{", "TUNEOPS_CHANNELS is no JSON (line 1)"),
        ("[" * 5_000, "TUNEOPS_CHANNELS is no JSON (nested)"),
        ("{}", "must be a JSON list"),
        ("[" + "{}," * 60 + "{}]", "at most 50"),
        (" " * 70_000 + "[]", "must be a JSON list"),
    ],
)
def test_a_setting_that_can_not_be_read_is_one_broken_channel(given: str, problem: str) -> None:
    (broken,) = make_channels(given, [], {}, nobody)
    assert isinstance(broken, BrokenChannel)
    assert problem in broken.problem
    assert broken.id == "unknown.channels"


def test_nothing_set_is_nothing() -> None:
    assert make_channels("", [], {}, nobody) == make_channels("[]", [], {}, nobody) == ()


def test_names_are_unique() -> None:
    first, second = made({"name": "ml", **TEAMS}, {"name": "ml", "severity": "error", **HOOKED})
    assert first.name == "ml"
    assert isinstance(second, BrokenChannel)
    assert (second.name, second.id) == ("channel.2", "unknown.channel.2")
    assert "'ml' stands there twice" in second.problem
    assert second.route == Route(severity="error")


def test_a_broken_channel_keeps_what_can_be_read_of_its_route() -> None:
    """So that what waits for it is what it would have got."""
    (broken,) = made({"name": "ml", **TEAMS, "events": ["nope"], "environments": ["prod"]})
    assert broken.route == Route(environments=("prod",))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=8))
def test_whatever_is_set_takes_nothing_down(value: Any) -> None:
    for each in (value, [value], [{"name": value, "kind": "teams", "projects": value}]):
        make_channels(json.dumps(each), [], {}, nobody)
    read_channels(str(value))


def test_urls_of_before_are_channels_still() -> None:
    (channel,) = made(urls=("json://127.0.0.1:1/secret",))
    assert channel.id == channel.name
    assert channel.id.startswith("json-")
    assert "secret" not in channel.id
    assert channel.route == Route()


@pytest.mark.parametrize(
    "url", ["hooks.example/T0/s3cret", "mailto:u:s3cret@host", "s3cret", " /", "a" * 300 + "://b"]
)
def test_what_is_no_url_is_a_channel_that_says_so(url: str) -> None:
    """Its id is in paths and requests: a wrong one would hold up whoever owes a message."""
    (channel,) = made(urls=(url,))
    assert DeliverRequest(channel=channel.id, stream="bot").channel == channel.id
    assert "s3cret" not in channel.id
    assert channel.id.startswith("url-")


def test_no_name_makes_a_channel_one_of_githubs() -> None:
    (broken,) = made({"name": "github", "kind": "chat"})
    assert not meant(LIVE.replace(channels=()), broken.id, broken.name, broken.route)


def test_a_broken_setting_does_not_take_the_app_down(monkeypatch: pytest.MonkeyPatch) -> None:
    given = [{"name": "ml", "kind": "teams", "url": HOOK}, {"name": "grid", **GRID}]
    monkeypatch.setenv("TUNEOPS_CHANNELS", json.dumps(given))
    settings = Settings(**NEEDED)
    broken, grid = Services(settings).people
    assert isinstance(broken, BrokenChannel)
    assert grid.id == "event-grid.grid"
    assert HOOK not in repr(settings)
    config = config_of("bot", "notifications: {channels: [grit]}")
    wrong = Services(settings).unknown_channel(config)
    assert wrong.endswith("TUNEOPS_CHANNELS has no channel 'grit'; did you mean 'grid'?")


def test_the_apps_settings_lead_to_the_receiver(monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = Receiver(None)
    try:
        monkeypatch.setenv("TUNEOPS_CHANNELS", json.dumps([{"name": "portal", **HOOKED}]))
        monkeypatch.setenv("TUNEOPS_CHANNEL_URL", receiver.url)
        monkeypatch.setenv("TUNEOPS_CHANNEL_SECRET", "0123456789abcdef")
        (channel,) = Services(Settings(**NEEDED)).people
        channel.send(LIVE, "")
        assert receiver.received[0].json["title"] == LIVE.title
    finally:
        receiver.close()


def test_a_project_chooses_its_channels() -> None:
    chosen = LIVE.replace(channels=("ml",))
    assert meant(chosen, "teams.ml", "ml", Route())
    assert not meant(chosen, "teams.ops", "ops", Route())
    assert not meant(chosen, "teams.ml", "ml", Route(severity="error"))
    assert meant(chosen, "github", "GitHub commit status", Route())
    assert meant(chosen, "github-deployments", "GitHub deployments", Route())
    assert meant(LIVE, "teams.ops", "ops", Route())
    assert not meant(LIVE.replace(only="github"), "teams.ops", "ops", Route())


@pytest.mark.parametrize(
    ("chosen", "problem"),
    [
        ("[ml-team]", ""),
        ("[]", ""),
        ("[ml-teem]", "did you mean 'ml-team'?"),
        ("[ml-team, zzz]", "has no channel 'zzz'"),
    ],
)
def test_validate_knows_channels_where_they_are_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: str, problem: str
) -> None:
    (tmp_path / "bot.yaml").write_text(text("bot", f"notifications: {{channels: {chosen}}}"))
    assert CliRunner().invoke(app, ["validate", str(tmp_path)]).exit_code == 0
    monkeypatch.setenv("TUNEOPS_CHANNELS", json.dumps([{"name": "ml-team", **TEAMS}]))
    done = CliRunner().invoke(app, ["validate", str(tmp_path)])
    assert (done.exit_code, problem in done.output) == (1 if problem else 0, True)
    assert channel_names(json.dumps([{"name": "ml-team"}])) == ("ml-team",)
    assert unknown_channel(config_of("bot"), []) == ""


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/x",
        "ftp://example.com/x",
        "https://",
        "x",
        "https://169.254.169.254/metadata/identity",
        "https://[::ffff:169.254.169.254]/",
        "https://[fe80::1%25eth0]/",
        "https://168.63.129.16/",
        "https://[",
        "https://a:99999/",
        "http://127.0.0.1:41123/msi/token",
        "http://localhost:41123/elsewhere",
        "https://identity.internal:8081/",
    ],
)
def test_places_that_nothing_is_posted_to(url: str) -> None:
    own = {
        "IDENTITY_ENDPOINT": "http://127.0.0.1:41123/msi/token",
        "MSI_ENDPOINT": "http://identity.internal:8081/msi/token",
    }
    with pytest.raises(ForbiddenError):
        check_url(url, own)


def test_places_that_may_be_posted_to() -> None:
    own = {"IDENTITY_ENDPOINT": "http://127.0.0.1:41123/msi/token"}
    for url in (
        "https://example.com/x",
        "http://localhost:8080/x",
        "http://[::1]:1/",
        "https://a:8",
    ):
        check_url(url, own)
    check_address("10.0.0.4", 443, own)
    with pytest.raises(ForbiddenError):
        check_address("169.254.130.3", 8081, own)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", None),
        ("17", 17),
        ("0", 0),
        ("-1", None),
        ("soon", None),
        ("999999999", 3600),
        ("9" * 400, None),
        ("Wed, 04 Mar 2026 05:07:07 GMT", 60),
        ("Wed, 04 Mar 2026 05:00:00 GMT", 0),
        ("Wed, 04 Mar 9999 05:00:00 GMT", 3600),
    ],
)
def test_how_long_a_receiver_wants_to_be_left_alone(header: str, seconds: float | None) -> None:
    assert retry_after(header, datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    ("shown", "hidden"),
    [
        (f"at {HOOK} now", "at https://hooks.slack.com/[hidden] now"),
        ("xoxb-123456789012-abcdefgh", "[hidden]"),
        ("https://ada:pa55@example.com/x", "https://ada:[hidden]@example.com/x"),
        ("https://example.com:8443/a:b", "https://example.com:8443/a:b"),
        ("write to a:b@example.com", "write to a:b@example.com"),
    ],
)
def test_addresses_are_without_secrets(shown: str, hidden: str) -> None:
    assert scrub(shown) == hidden
