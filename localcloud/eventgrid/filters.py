"""Which events a subscription wants."""

from localcloud.eventgrid.events import Event, event_subject, event_type
from localcloud.manifest import AdvancedFilter, EventSubscription


def wants(subscription: EventSubscription, event: Event) -> bool:
    """Whether the event passes all of the subscription's filters; case does not matter."""
    types = [name.lower() for name in subscription.event_types]
    subject = event_subject(event).lower()
    return (
        (not types or event_type(event).lower() in types)
        and subject.startswith(subscription.subject_begins_with.lower())
        and subject.endswith(subscription.subject_ends_with.lower())
        and all(_passes(each, event) for each in subscription.advanced_filters)
    )


def _passes(wanted: AdvancedFilter, event: Event) -> bool:
    """Whether a value is, or is not, one of those that the filter names.

    One that is missing, or is no text, is in no list:
    https://learn.microsoft.com/azure/event-grid/event-filtering#advanced-filtering
    """
    value: object = event
    for name in wanted.key.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    is_in = isinstance(value, str) and value.lower() in map(str.lower, wanted.values)
    return is_in == (wanted.operator == "StringIn")
