"""Connections to storage and to endpoints, which the threads of an instance share."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import requests
    from azure.core.pipeline.transport import RequestsTransport
    from urllib3.util.retry import Retry

KEPT = 64
"""More than threads use at once. The SDK keeps ten, and opens others for each call of a burst."""


def shared_session(retries: "int | Retry" = 0) -> "requests.Session":
    """For calls of several threads: a connection stays open for whoever asks there next.

    To open one takes some 30 ms of the processor, most of them to read which certificates are
    trusted. Nobody's cookies are kept.
    """
    from http.cookiejar import DefaultCookiePolicy

    import requests
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=KEPT, max_retries=retries))
    return session


def storage_transport() -> "RequestsTransport":
    """What a client of the storage SDK sends its calls with; see `use_proxies`.

    The environment is looked at once: looking at it for each call takes a fifth of a call's time.
    """
    from azure.core.pipeline.transport import RequestsTransport
    from urllib3.util.retry import Retry

    # The SDK itself tries again.
    never = Retry(total=False, redirect=False, raise_on_status=False)
    session = shared_session(never)
    session.trust_env = False
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    return RequestsTransport(session=session, connection_verify=bundle)


def use_proxies(transport: "RequestsTransport", address: str) -> None:
    """Send what goes to the address through the proxies that the environment has for it."""
    from requests.utils import get_environ_proxies

    if transport.session:
        transport.session.proxies.update(get_environ_proxies(address))
