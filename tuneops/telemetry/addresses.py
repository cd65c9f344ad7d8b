"""What is said of the addresses that are called: which service it is, and nothing secret. Pure."""

from collections.abc import Mapping
from urllib.parse import urlsplit

_SERVICES = {
    ".blob.core.": "blob",
    ".queue.core.": "queue",
    ".inference.ml.azure.": "endpoint",
    ".azureml.": "azureml",
    ".metrics.monitor.azure.": "monitor",
    ".management.": "management",
    ".login.": "identity",
    ".api.github.com": "github",
}
"""What a host's name has in it, by service, the first that fits."""


def service_of(netloc: str, known: Mapping[str, str]) -> str:
    """The service at an address, empty if it is none that TuneOps needs; `known` are its own."""
    host = netloc.lower()
    if host in known:
        return known[host]
    return next((name for part, name in _SERVICES.items() if part in f".{host}"), "")


def netloc(url: str) -> str:
    """Host and port of an address, empty if it is none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""


def shown(url: str, *, whole_path: bool) -> str:
    """An address without what may be a secret: query, login, and the path unless it is a plain one.

    The path of a webhook is a password.
    """
    host = netloc(url)
    if not host:
        return ""
    parts = urlsplit(url)
    return f"{parts.scheme}://{host}{parts.path if whole_path else ''}"
