"""Events as publishers send them, in Event Grid's schema or as CloudEvents 1.0."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

Event = dict[str, Any]
Text = Annotated[str, Field(min_length=1)]


class EventError(ValueError):
    """What was sent is no event; the message says which field is wrong."""


class _EventGridEvent(BaseModel):
    """https://learn.microsoft.com/azure/event-grid/event-schema"""

    model_config = ConfigDict(extra="allow")

    id: Text
    subject: Text
    eventType: Text  # noqa: N815 - the name on the wire
    eventTime: datetime  # noqa: N815 - the name on the wire
    dataVersion: str = ""  # noqa: N815 - the name on the wire


class _CloudEvent(BaseModel):
    """https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md"""

    model_config = ConfigDict(extra="allow")

    specversion: Literal["1.0"]
    id: Text
    source: Text
    type: Text
    subject: Text | None = None
    time: datetime | None = None


_EVENT_GRID = TypeAdapter(_EventGridEvent)
_CLOUD = TypeAdapter(_CloudEvent)


def is_cloud_event(event: Event) -> bool:
    """Whether the event is a CloudEvent."""
    return "specversion" in event


def event_type(event: Event) -> str:
    """The type, in either schema."""
    return str(event["type"] if is_cloud_event(event) else event["eventType"])


def event_subject(event: Event) -> str:
    """The subject, in either schema; a CloudEvent may have none."""
    return str(event.get("subject") or "")


def parse_events(document: object, topic: str) -> list[Event]:
    """The events of a request's body: an array of events, or one CloudEvent.

    Args:
        topic: resource path that Event Grid fills in where an event names no topic.

    Raises:
        EventError: something in it is no event.
    """
    if isinstance(document, dict) and is_cloud_event(document):
        document = [document]
    if not isinstance(document, list):
        raise EventError("the body is neither an array of events nor a CloudEvent")
    return [_checked(index, event, topic) for index, event in enumerate(document)]


def _checked(index: int, event: object, topic: str) -> Event:
    if not isinstance(event, dict):
        raise EventError(f"[{index}]: an event is an object")
    cloud = is_cloud_event(event)
    try:
        (_CLOUD if cloud else _EVENT_GRID).validate_python(event)
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(map(str, problem["loc"]))
        raise EventError(f"[{index}].{field}: {problem['msg']}") from None
    if cloud:
        return event
    return {"topic": topic, "data": None, "dataVersion": "", "metadataVersion": "1", **event}
