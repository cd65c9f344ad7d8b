"""What became of the events of a day, as JSON."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus

from pydantic import ValidationError

from handlers.rollback import said
from tuneops.events.reading import Asked, read_events
from tuneops.services import Services

KEY = "code"
"""The host reads a function key there, if it is in no header."""


def handle(params: Mapping[str, str], services: Services) -> tuple[HTTPStatus, str]:
    """The answer to a question for events; without a day those of today, in UTC."""
    given = {name: value for name, value in params.items() if name != KEY}
    try:
        asked = Asked.model_validate({"day": datetime.now(UTC).date(), **given})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return said(HTTPStatus.BAD_REQUEST, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
    return HTTPStatus.OK, read_events(services.state, asked).model_dump_json()
