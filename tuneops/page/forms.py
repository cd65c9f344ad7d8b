"""Forms of the page: that they come from the page itself, were made for whoever sends them, and
are what they should be. Pure.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from tuneops.page.access import Visitor
from tuneops.page.asked import Asked
from tuneops.rollback import Line

MAX_BODY = 4 * 1024
MAX_FIELDS = 12
ENCODING = "application/x-www-form-urlencoded"
STEP_SECONDS = 3600
"""A token is the same for so long, so that a page that has not changed is the same page."""
DAY_SECONDS = 24 * 3600


class FormError(Exception):
    """The form is not taken; the message says what to do."""


def _none_if_blank(value: object) -> object:
    return None if value == "" else value


Number = Annotated[Annotated[int, Field(ge=1, lt=2**31)] | None, BeforeValidator(_none_if_blank)]
Share = Annotated[Annotated[int, Field(ge=0, le=100)] | None, BeforeValidator(_none_if_blank)]


class Form(BaseModel):
    """What a form of the page may say; a field that is left empty is as if it were left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: Annotated[str, Field(max_length=200)] = ""
    reason: Line = ""
    how: Literal["propose", "pin"] = "propose"
    to: Number = None
    release: Number = None
    share: Share = None
    confirmed: Literal["", "yes"] = ""


def read_form(asked: Asked) -> Form:
    """The form that was sent.

    Raises:
        FormError: it is none of this page.
    """
    kind = asked.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != ENCODING:
        raise FormError("this address takes the page's own forms alone")
    if len(asked.body) > MAX_BODY:
        raise FormError(f"the form is too long: at most {MAX_BODY} bytes")
    try:
        fields = parse_qsl(
            asked.body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
        if len(dict(fields)) != len(fields):
            raise FormError("a field of the form is there twice: load the page again")
        return Form.model_validate(dict(fields))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(map(str, first["loc"]))[:40]
        raise FormError(f"{field}: {first['msg']}") from error
    except ValueError as error:
        raise FormError("the form can't be read: load the page again") from error


def is_same_origin(asked: Asked, page_url: str) -> bool:
    """Whether the page itself sends this, as the browser says, which no other page can forge.

    An old browser that does not say has to name an origin that is the page's own.
    """
    site = asked.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = asked.headers.get("origin", "")
    return bool(origin) and origin in {_origin(page_url or asked.url)}


def make_token(key: bytes, visitor: Visitor, project: str, now: datetime) -> str:
    """What a form has to carry that this visitor may send for this project, for a day."""
    begin = int(now.timestamp()) // STEP_SECONDS * STEP_SECONDS
    return _signed(key, visitor, project, begin + STEP_SECONDS + DAY_SECONDS)


def is_good_token(token: str, key: bytes, visitor: Visitor, project: str, now: datetime) -> bool:
    """Whether the token was made for this visitor and project, and is not too old."""
    text = token.partition(".")[0]
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        return False
    until, seconds = int(text), now.timestamp()
    in_time = seconds < until <= seconds + STEP_SECONDS + DAY_SECONDS
    made = _signed(key, visitor, project, until)
    return hmac.compare_digest(made.encode(), token.encode()) and in_time


def _signed(key: bytes, visitor: Visitor, project: str, until: int) -> str:
    text = json.dumps([visitor.by, visitor.name, project, until])
    return f"{until}.{hmac.new(key, text.encode(), hashlib.sha256).hexdigest()}"


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"


def told_of(asked: Asked) -> Mapping[str, str]:
    """What is worth a line in the log when a form is not taken."""
    names = ("sec-fetch-site", "origin", "host")
    return {name: asked.headers[name][:100] for name in names if name in asked.headers}
