"""Area `identity`: the tokens that the app gets, and the clock by which they are judged."""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx2

from tuneops.doctor.finding import Finding, skipped
from tuneops.doctor.judging import clock
from tuneops.doctor.judging import identity as judging
from tuneops.doctor.patient import Patient
from tuneops.doctor.tokens import token_for
from tuneops.settings import Settings

STORAGE = "https://storage.azure.com"
MACHINE_LEARNING = {
    "AzureCloud": "https://ml.azure.com",
    "AzureChinaCloud": "https://ml.azure.cn",
    "AzureUSGovernment": "https://ml.azure.us",
}
TIMEOUT_SECONDS = 6


def look(patient: Patient) -> Iterator[Finding]:
    """Whether each kind of token can be had."""
    settings = patient.services.settings
    manager = settings.resource_manager.rstrip("/")
    yield judging.judge("identity.resource_manager", token_for(settings, manager), manager)
    got = None if settings.storage_connection_string else token_for(settings, STORAGE)
    yield judging.judge("identity.storage", got, STORAGE)
    learning = _machine_learning(settings)
    yield judging.judge("identity.machine_learning", token_for(settings, learning), learning)


def look_at_clock(patient: Patient) -> Iterator[Finding]:
    """How far our clock is from that of Azure Resource Manager, which tells everybody."""
    manager = patient.services.settings.resource_manager.rstrip("/")
    url = f"{manager}/metadata/endpoints?api-version=2022-09-01"
    try:
        answer = httpx2.get(url, timeout=TIMEOUT_SECONDS)
    except httpx2.HTTPError as error:
        yield skipped("clock.skew", f"no answer ({type(error).__name__})", manager)
        return
    yield clock.judge(answer.headers.get("date", ""), datetime.now(UTC), manager)


def _machine_learning(settings: Settings) -> str:
    own = (settings.cloud_metadata or {}).get("aml_resource_id", "").rstrip("/")
    return own or MACHINE_LEARNING.get(settings.cloud, MACHINE_LEARNING["AzureCloud"])
