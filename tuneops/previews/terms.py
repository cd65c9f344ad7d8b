"""On which terms a preview is there, and what the tracked branch allows of them. Pure."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from tuneops.document import Document
from tuneops.section import Section

DEFAULT_MAX = 3


class Limits(Section):
    """How many previews there may be; without it a config on the tracked branch has to ask."""

    max: Annotated[
        int,
        Field(ge=0, le=50, description="At once, of all projects of the source; 0: none"),
    ] = DEFAULT_MAX
    max_hours: Annotated[
        int, Field(ge=1, le=168, description="How long one may last after the newest push")
    ] = 72


class Terms(Document):
    """The pull request that wants a preview, and until when.

    `over` says why nothing is wanted any more, if so; `closed`: the pull request is, so nothing
    begins anew; `merged`: what it trains is the project's now.
    """

    number: int
    until: datetime
    over: str = ""
    closed: bool = False
    merged: bool = False
