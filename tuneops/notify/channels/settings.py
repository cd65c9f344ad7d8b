"""The setting TUNEOPS_CHANNELS: a JSON list of channels, each with what its kind needs. Pure.

No secret stands in it: a field that ends in ``_setting`` names the app setting that holds one.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator

from tuneops.config import ChannelName
from tuneops.notify.channels.guard import check_url
from tuneops.notify.outbox import ChannelError
from tuneops.notify.routing import Route
from tuneops.scrub import scrub

SETTING = "TUNEOPS_CHANNELS"
PREFIX = "TUNEOPS_CHANNEL_"
MAX_CHANNELS = 50
MAX_CHARACTERS = 64 * 1024
MAX_SHOWN_ERRORS = 3

_REFERENCE = "_setting"


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
            named = f"{field}{_REFERENCE}"
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
                    if str(field).endswith(_REFERENCE)
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
_NAME: TypeAdapter[str] = TypeAdapter(ChannelName)


@dataclass(frozen=True)
class BrokenSettings:
    """A channel whose settings are wrong; `name` and `kind` as far as they can be read."""

    name: str
    kind: str
    route: Route
    problem: str


def read_channels(text: str) -> list[AnySettings | BrokenSettings]:
    """The channels that the setting has; what is wrong with one is no other's trouble."""
    if not text.strip():
        return []
    try:
        given = json.loads(text) if len(text) <= MAX_CHARACTERS else None
    except (ValueError, RecursionError) as error:
        what = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "nested"
        return [_broken({}, f"is no JSON ({what})")]
    if not isinstance(given, list) or len(given) > MAX_CHANNELS:
        return [_broken({}, f"must be a JSON list of at most {MAX_CHANNELS} channels")]
    return list(_each(given))


def _each(given: list[Any]) -> Iterator[AnySettings | BrokenSettings]:
    taken: set[str] = set()
    for number, each in enumerate(given, 1):
        read = _read(each, number)
        if read.name in taken:
            problem = f"name {read.name!r} stands there twice: give each channel its own"
            read = _broken({}, problem, number)
        taken.add(read.name)
        yield read


def _read(given: Any, number: int) -> AnySettings | BrokenSettings:
    kind = given.get("kind") if isinstance(given, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        return _broken(given, f"kind must be one of {', '.join(KINDS)}", number)
    try:
        return KINDS[kind].model_validate(given)
    except ValidationError as error:
        found = [_problem(each) for each in error.errors(include_input=False)[:MAX_SHOWN_ERRORS]]
        return _broken(given, "; ".join(found), number)


def _problem(error: Any) -> str:
    """What is wrong and where, without what stands there."""
    path = ".".join(str(part) for part in error["loc"] if len(str(part)) <= 40)
    text = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        text = "unknown field"
    elif path.endswith(_REFERENCE) and error["type"] == "string_pattern_mismatch":
        text = f"must be the name of an app setting that begins with {PREFIX}"
    return scrub(f"{path}: {text}" if path else text)[:300]


def _broken(given: Any, problem: str, number: int = 0) -> BrokenSettings:
    fields = given if isinstance(given, dict) else {}
    name, kind = fields.get("name"), fields.get("kind")
    try:
        name = _NAME.validate_python(name)
    except ValidationError:
        name = f"channel.{number}" if number else "channels"
    where = f"{SETTING}: {name}: " if number else f"{SETTING} "
    known = isinstance(kind, str) and kind in KINDS
    return BrokenSettings(name, str(kind) if known else "", _route(fields), where + problem)


def _route(fields: dict[Any, Any]) -> Route:
    """As much of the route as can be read."""
    route = Route()
    for name in Route.model_fields:
        if name in fields:
            try:
                read = Route.model_validate({name: fields[name]})
            except ValidationError:
                continue
            route = route.model_copy(update={name: getattr(read, name)})
    return route


def _looks_secret(field: str, value: str) -> bool:
    if field.endswith(_REFERENCE):
        return "://" in value or scrub(value) != value
    return scrub(value) != value
