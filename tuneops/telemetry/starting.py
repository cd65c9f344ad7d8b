"""Turning telemetry on, once for the process, when the first function is called."""

import logging
import os
from collections.abc import Mapping
from threading import Lock

from pydantic import ValidationError

from tuneops.settings import Settings, get_settings
from tuneops.telemetry import lines
from tuneops.telemetry.known import netlocs, secrets

APPLICATION_INSIGHTS = "APPLICATIONINSIGHTS_CONNECTION_STRING"
OTLP = "OTEL_EXPORTER_OTLP_ENDPOINT"

log = logging.getLogger(__name__)

_lock = Lock()
_started = False


def start() -> None:
    """Do it, unless it is done; whatever goes wrong with it keeps no function from its work."""
    global _started
    if _started:
        return
    with _lock:
        if not _started:
            _started = True
            try:
                _start(_settings(), os.environ)
            except Exception:
                log.exception("there will be no telemetry")


def is_on(environment: Mapping[str, str]) -> bool:
    """Whether the settings name somebody to send telemetry to."""
    off = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not off and any(environment.get(name) for name in (APPLICATION_INSIGHTS, OTLP))


def _settings() -> Settings | None:
    """The settings; without them no function works, and the one that was called says why."""
    try:
        return get_settings()
    except (ValidationError, ValueError):
        return None


def _start(settings: Settings | None, environment: Mapping[str, str]) -> None:
    hidden = secrets(settings, environment)
    form = settings.log_format if settings else "text"
    lines.install(form, logging.getLogger().handlers, hidden)
    if not is_on(environment):
        return
    from tuneops.telemetry import providers

    share = settings.trace_sample if settings else 1.0
    providers.install(environment, share, hidden, netlocs(settings))
