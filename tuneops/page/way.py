"""By which way one comes to the page. Pure, and light: every start of the app asks for it."""

import ipaddress
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from tuneops.hosting import in_azure

Way = Literal["entra", "key", "loopback"]


def way_in(environ: Mapping[str, str]) -> Way:
    """How one comes to the page in this environment.

    App Service sets ``WEBSITE_AUTH_ENABLED`` where people have to sign in. No setting opens the
    page to everybody in Azure.
    """
    if environ.get("WEBSITE_AUTH_ENABLED", "").lower() == "true":
        return "entra"
    local = is_loopback(_host(environ.get("TUNEOPS_PAGE_URL", "")))
    return "loopback" if local and not in_azure(environ) else "key"


def is_loopback(host: str) -> bool:
    """Whether a name or address is that of the computer itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
