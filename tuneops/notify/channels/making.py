"""Channels, made from settings; one that can't be made is a `BrokenChannel` beside the others."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from tuneops.notify.channel import Channel, ChannelError
from tuneops.notify.channels.apprise_url import AppriseChannel, url_id
from tuneops.notify.channels.broken import BrokenChannel
from tuneops.notify.channels.event_grid import EventGridChannel
from tuneops.notify.channels.guard import check_url
from tuneops.notify.channels.reading import BrokenSettings, read_channels
from tuneops.notify.channels.secrets import SecretError, secret
from tuneops.notify.channels.settings import (
    SETTING,
    AnySettings,
    AppriseSettings,
    EventGridSettings,
    MailSettings,
    SlackSettings,
    TeamsSettings,
    WebhookSettings,
)
from tuneops.notify.channels.slack import SlackBotChannel, SlackWebhookChannel
from tuneops.notify.channels.teams import TeamsChannel
from tuneops.notify.channels.webhook import WebhookChannel
from tuneops.notify.routing import Route

if TYPE_CHECKING:
    from azure.core.credentials import AzureKeyCredential, TokenCredential

    from tuneops.notify.channels.mail import MailChannel

MIN_SECRET = 16
UNKNOWN = "unknown"
"""Begins the id of a channel whose kind can't be read; GitHub's ids are names without a dot."""

Identity = Callable[[], "TokenCredential"]


def make_channels(
    text: str, urls: Iterable[str], environment: Mapping[str, str], identity: Identity
) -> tuple[Channel, ...]:
    """The channels of TUNEOPS_CHANNELS, then those of TUNEOPS_NOTIFY_URLS."""
    named = [_make(each, environment, identity) for each in read_channels(text)]
    unnamed = [AppriseChannel(url_id(url), url_id(url), Route(), url) for url in urls]
    return (*named, *unnamed)


def channel_names(text: str) -> tuple[str, ...]:
    """The names that a project may choose among."""
    return tuple(each.name for each in read_channels(text))


def _make(
    settings: AnySettings | BrokenSettings, environment: Mapping[str, str], identity: Identity
) -> Channel:
    kind, name = settings.kind, settings.name
    channel_id = f"{kind or UNKNOWN}.{name}"
    if isinstance(settings, BrokenSettings):
        return BrokenChannel(channel_id, name, settings.route, settings.problem)
    try:
        return _made(settings, channel_id, environment, identity)
    except (SecretError, ChannelError) as error:
        return BrokenChannel(channel_id, name, settings, f"{SETTING}: {name}: {error}")


def _made(
    settings: AnySettings, channel_id: str, environment: Mapping[str, str], identity: Identity
) -> Channel:
    """The channel.

    Raises:
        SecretError: a secret is not there.
        ChannelError: an address is none that may be posted to.
    """
    common = (channel_id, settings.name, settings)
    match settings:
        case TeamsSettings():
            return TeamsChannel(*common, _address(settings.url_setting, environment))
        case SlackSettings(url_setting=str() as url):
            return SlackWebhookChannel(*common, _address(url, environment))
        case SlackSettings():
            token = secret(settings.token_setting or "", environment)
            return SlackBotChannel(*common, settings.api_url, token, settings.channel)
        case MailSettings():
            return _mail(settings, channel_id, environment)
        case WebhookSettings():
            address = _address(settings.url_setting, environment)
            return WebhookChannel(*common, address, _signing(settings.secret_setting, environment))
        case EventGridSettings():
            return EventGridChannel(
                *common,
                settings.endpoint,
                settings.source,
                _login(settings, environment, identity),
            )
        case AppriseSettings():
            return AppriseChannel(*common, secret(settings.url_setting, environment))


def _mail(settings: MailSettings, channel_id: str, environment: Mapping[str, str]) -> "MailChannel":
    from tuneops.notify.channels.mail import PORTS, MailChannel

    reference = settings.password_setting
    return MailChannel(
        channel_id,
        settings.name,
        settings,
        host=settings.host,
        port=settings.port or PORTS[settings.security],
        security=settings.security,
        username=settings.username,
        password=secret(reference, environment) if reference else "",
        sender=settings.sender,
        to=settings.to,
    )


def _address(reference: str, environment: Mapping[str, str]) -> str:
    url = secret(reference, environment)
    try:
        check_url(url, environment)
    except ChannelError as error:
        raise ChannelError(f"the app setting {reference} {error}") from error
    return url


def _signing(reference: str, environment: Mapping[str, str]) -> str:
    key = secret(reference, environment)
    if len(key) < MIN_SECRET:
        raise SecretError(f"the app setting {reference} is shorter than {MIN_SECRET} characters")
    return key


def _login(
    settings: EventGridSettings, environment: Mapping[str, str], identity: Identity
) -> "Callable[[], AzureKeyCredential | TokenCredential]":
    if settings.key_setting is None:
        return identity
    key = secret(settings.key_setting, environment)

    def by_key() -> "AzureKeyCredential":
        from azure.core.credentials import AzureKeyCredential

        return AzureKeyCredential(key)

    return by_key
