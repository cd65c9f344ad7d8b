"""Which events a subscription wants."""

from localcloud.eventgrid.events import Event, event_subject, event_type
from localcloud.manifest import EventSubscription


def wants(subscription: EventSubscription, event: Event) -> bool:
    """Whether the event passes the subscription's filters; case does not matter."""
    types = [name.lower() for name in subscription.event_types]
    subject = event_subject(event).lower()
    return (
        (not types or event_type(event).lower() in types)
        and subject.startswith(subscription.subject_begins_with.lower())
        and subject.endswith(subscription.subject_ends_with.lower())
    )
