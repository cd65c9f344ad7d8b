"""How many messages were given up, which the Functions host has put aside."""

import logging
import os

from azure.core.exceptions import AzureError, ResourceNotFoundError

from tuneops.services import Services, open_queue
from tuneops.telemetry import metrics
from tuneops.telemetry.starting import is_on

SUFFIX = "-poison"
SOON = {"connection_timeout": 3, "read_timeout": 3, "retry_total": 0}

log = logging.getLogger(__name__)


def measure(services: Services) -> None:
    """Measure it for each queue that functions wait at; the timer does not fail for it."""
    settings = services.settings
    if not is_on(os.environ):
        return
    for queue in (settings.reconcile_queue, settings.deliver_queue):
        try:
            metrics.QUEUE_POISON.set(_count(services, queue), {"queue": queue})
        except AzureError as error:
            log.warning("what was given up of queue %s is not counted: %s", queue, error)


def _count(services: Services, queue: str) -> int:
    try:
        found = open_queue(services.settings, f"{queue}{SUFFIX}", **SOON).get_queue_properties()
    except ResourceNotFoundError:
        return 0
    return found.approximate_message_count or 0
