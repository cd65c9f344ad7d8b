"""Event Grid's subscriptions to what a resource tells of.

https://learn.microsoft.com/rest/api/eventgrid/controlplane/event-subscriptions

They lie at the resource itself, or below a system topic of it in its resource group.
"""

from typing import Any

from pydantic import BaseModel, Field

from tuneops.azureml import rest
from tuneops.azureml.workspace import Workspace
from tuneops.permissions.roles import OBSERVER

API_VERSION = "2022-06-15"
MAX_TOPICS = 20


class _Destination(BaseModel):
    kind: str = Field("", alias="endpointType")
    properties: dict[str, Any] = {}


class _Filter(BaseModel):
    types: tuple[str, ...] | None = Field(None, alias="includedEventTypes")
    begins_with: str | None = Field(None, alias="subjectBeginsWith")
    ends_with: str | None = Field(None, alias="subjectEndsWith")


class _Properties(BaseModel):
    state: str = Field("", alias="provisioningState")
    destination: _Destination = _Destination()
    identified: dict[str, Any] | None = Field(None, alias="deliveryWithResourceIdentity")
    filter: _Filter = _Filter()
    dead_letters: dict[str, Any] | None = Field(None, alias="deadLetterDestination")
    own_dead_letters: dict[str, Any] | None = Field(None, alias="deadLetterWithResourceIdentity")


class _Resource(BaseModel):
    name: str
    properties: _Properties


class _Page(BaseModel):
    value: list[_Resource] = []


class _Source(BaseModel):
    source: str = ""


class _Topic(BaseModel):
    id: str
    properties: _Source = _Source()


class _Topics(BaseModel):
    value: list[_Topic] = []


class EventSubscription(BaseModel):
    """A subscription: which events go where. No `types` means all.

    `target` is the id of a function, or the address of a webhook without its query.
    """

    name: str
    state: str
    target: str
    types: tuple[str, ...] | None = None
    begins_with: str = ""
    ends_with: str = ""
    has_dead_letters: bool = False


def listed(workspace: Workspace, resource: str) -> list[EventSubscription] | None:
    """The subscriptions to a resource; None when there is no such resource.

    Raises:
        MissingRoleError: the identity may not see them.
        UnavailableError, RefusedError: they can't be read.
    """
    found = _at(workspace, f"{resource}/providers/Microsoft.EventGrid")
    if found is None:
        return None
    group = resource.partition("/providers/")[0]
    what = "system topics"
    url = f"{group}/providers/Microsoft.EventGrid/systemTopics"
    answer = _get(workspace, what, url)
    topics = rest.read(_Topics, answer, what).value if answer.is_success else []
    ours = [each for each in topics if each.properties.source.lower() == resource.lower()]
    for topic in ours[:MAX_TOPICS]:
        found += _at(workspace, topic.id) or []
    return found


def _at(workspace: Workspace, path: str) -> list[EventSubscription] | None:
    what = "event subscriptions"
    answer = _get(workspace, what, f"{path}/eventSubscriptions")
    if not answer.is_success:
        return None
    return [_subscription(each) for each in rest.read(_Page, answer, what).value]


def _get(workspace: Workspace, what: str, path: str) -> Any:
    url = f"{workspace.resource_manager}{path}?api-version={API_VERSION}"
    return rest.ask(workspace, what, "GET", url, missing=True, role=OBSERVER)


def _subscription(found: _Resource) -> EventSubscription:
    known = found.properties
    destination = known.destination
    if known.identified:
        destination = _Destination.model_validate(known.identified.get("destination") or {})
    said = destination.properties
    target = said.get("resourceId") or said.get("endpointBaseUrl") or destination.kind
    return EventSubscription(
        name=found.name,
        state=known.state,
        target=str(target).partition("?")[0],
        types=known.filter.types or None,
        begins_with=known.filter.begins_with or "",
        ends_with=known.filter.ends_with or "",
        has_dead_letters=bool(known.dead_letters or known.own_dead_letters),
    )
