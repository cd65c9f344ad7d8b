"""Connections to storage, which the threads of an instance share."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.core.pipeline.transport import RequestsTransport

KEPT = 64
"""More than threads use at once. The SDK keeps ten, and opens others for each call of a burst."""


def storage_transport() -> "RequestsTransport":
    """What a client of the storage SDK sends its calls with."""
    import requests
    from azure.core.pipeline.transport import RequestsTransport
    from requests.adapters import HTTPAdapter
    from urllib3.util.retry import Retry

    # The SDK itself tries again.
    never = Retry(total=False, redirect=False, raise_on_status=False)
    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=KEPT, max_retries=never))
    return RequestsTransport(session=session)
