"""What each kind of channel needs in TUNEOPS_CHANNELS, beside its name and its route. Pure.

No secret stands in it: a field that ends in ``_setting`` names the app setting that holds one.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from tuneops.config import ChannelName
from tuneops.notify.channel import ChannelError
from tuneops.notify.channels.guard import check_url
from tuneops.notify.routing import Route
from tuneops.scrub import scrub

SETTING = "TUNEOPS_CHANNELS"
PREFIX = "TUNEOPS_CHANNEL_"
REFERENCE = "_setting"


def _https(url: str) -> str:
    try:
        check_url(url, {})
    except ChannelError as error:
        raise ValueError(str(error)) from error
    return url


Reference = Annotated[
    str,
    Field(
        max_length=100,
        pattern=rf"^{PREFIX}[A-Z0-9_]+$",
        description=f"Name of the app setting that holds it; it begins with {PREFIX}",
    ),
]
Url = Annotated[str, Field(max_length=500), AfterValidator(_https)]
Address = Annotated[
    str, Field(max_length=254, pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+$")
]
Host = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9.:_-]+$")]


class ChannelSettings(Route):
    """What all kinds have: a name, and the route of what goes there."""

    name: ChannelName

    @model_validator(mode="before")
    @classmethod
    def _no_secret(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        for field in given:
            named = f"{field}{REFERENCE}"
            if field not in cls.model_fields and named in cls.model_fields:
                raise ValueError(
                    f"{field} would be a secret in {SETTING}: put it into an app setting whose "
                    f"name begins with {PREFIX}, and give that name as {named}"
                )
        for field, value in given.items():
            if isinstance(value, str) and _looks_secret(str(field), value):
                raise ValueError(
                    f"{field} holds a secret itself, it seems: it is to be the name of an app "
                    f"setting, which begins with {PREFIX}"
                    if str(field).endswith(REFERENCE)
                    else f"{field} holds a secret, it seems: secrets go into app settings"
                )
        return given


class TeamsSettings(ChannelSettings):
    """Teams, by the address of a workflow."""

    kind: Literal["teams"]
    url_setting: Reference


class SlackSettings(ChannelSettings):
    """Slack, by a bot's token and a channel, or by the address of an incoming webhook."""

    kind: Literal["slack"]
    url_setting: Reference | None = None
    token_setting: Reference | None = None
    channel: Annotated[str, Field(max_length=80, pattern=r"^[#@]?[\w.-]*$")] = ""
    api_url: Url = "https://slack.com/api"

    @model_validator(mode="after")
    def _one_way(self) -> "SlackSettings":
        if bool(self.url_setting) == bool(self.token_setting):
            raise ValueError("give either token_setting and channel, or url_setting")
        if bool(self.token_setting) != bool(self.channel):
            raise ValueError("token_setting and channel belong together")
        return self


class MailSettings(ChannelSettings):
    """E-mail by SMTP."""

    kind: Literal["mail"]
    host: Host
    port: Annotated[int | None, Field(ge=1, le=65535)] = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: Annotated[str, Field(max_length=254)] = ""
    password_setting: Reference | None = None
    sender: Address
    to: Annotated[tuple[Address, ...], Field(min_length=1, max_length=20)]

    @model_validator(mode="after")
    def _whole_login(self) -> "MailSettings":
        if bool(self.username) != bool(self.password_setting):
            raise ValueError("username and password_setting belong together")
        if self.username and self.security == "none":
            raise ValueError("security none would send the password in the clear")
        return self


class WebhookSettings(ChannelSettings):
    """A webhook of your own, with the secret that messages are signed with."""

    kind: Literal["webhook"]
    url_setting: Reference
    secret_setting: Reference


class EventGridSettings(ChannelSettings):
    """A topic of Event Grid; without a key by the app's identity."""

    kind: Literal["event-grid"]
    endpoint: Url
    key_setting: Reference | None = None
    source: Annotated[
        str,
        Field(max_length=200, pattern=r"^[!-~]+$", description="Tells several apps apart"),
    ] = "/tuneops"


class AppriseSettings(ChannelSettings):
    """Whatever else apprise knows, by one of its URLs."""

    kind: Literal["apprise"]
    url_setting: Reference


AnySettings = (
    TeamsSettings
    | SlackSettings
    | MailSettings
    | WebhookSettings
    | EventGridSettings
    | AppriseSettings
)
KINDS: Mapping[str, type[AnySettings]] = {
    "teams": TeamsSettings,
    "slack": SlackSettings,
    "mail": MailSettings,
    "webhook": WebhookSettings,
    "event-grid": EventGridSettings,
    "apprise": AppriseSettings,
}


def _looks_secret(field: str, value: str) -> bool:
    if field.endswith(REFERENCE):
        return "://" in value or scrub(value) != value
    return scrub(value) != value
