"""What of the settings telemetry has to know: secrets, which it hides, and addresses."""

import re
from collections.abc import Mapping

from pydantic import SecretStr

from tuneops.settings import Settings
from tuneops.telemetry.addresses import netloc

SHORTEST = 6
"""What is shorter is no secret, or hiding it would tell it."""

_SECRET_NAME = re.compile(r"(?i)(secret|token|password|_key|apikey|_headers?)$|^TUNEOPS_CHANNEL_")
_ACCOUNT_KEY = re.compile(r"AccountKey=([^;]+)")
_ENDPOINT = re.compile(r"(Blob|Queue)Endpoint=([^;]+)")


def secrets(settings: Settings | None, environment: Mapping[str, str]) -> list[str]:
    """The secrets of the settings, of those that channels name, too."""
    found = [value for name, value in environment.items() if _SECRET_NAME.search(name)]
    if settings:
        held = (getattr(settings, name) for name in type(settings).model_fields)
        found += [each.get_secret_value() for each in held if isinstance(each, SecretStr)]
        found += [url.get_secret_value() for url in settings.notify_urls]
        found += _ACCOUNT_KEY.findall(_connection(settings))
    return [each for each in dict.fromkeys(found) if len(each) >= SHORTEST]


def netlocs(settings: Settings | None) -> dict[str, str]:
    """The service at each host that the settings name."""
    if settings is None:
        return {}
    endpoints = _ENDPOINT.findall(_connection(settings))
    urls = {url: kind.lower() for kind, url in endpoints}
    urls |= {settings.blob_service_uri or "": "blob", settings.queue_service_uri or "": "queue"}
    urls |= {settings.resource_manager: "management", settings.github_api_url: "github"}
    known = {netloc(url): service for url, service in urls.items()}
    return {host: service for host, service in known.items() if host}


def _connection(settings: Settings) -> str:
    held = settings.storage_connection_string
    return held.get_secret_value() if held else ""
