"""Area `storage`: tried with harmless calls, and a document of the doctor's own."""

from collections.abc import Iterator

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient

from tuneops.doctor.errors import code_of
from tuneops.doctor.finding import Finding
from tuneops.doctor.judging import storage as judging
from tuneops.doctor.judging.storage import Access
from tuneops.doctor.patient import Patient
from tuneops.document import Document
from tuneops.store import BusyError, ConflictError

PROBE = "doctor/probe.json"
PREPARED_PROBE = ".tuneops-doctor"
"""No project has such a name, so that it is in no project's folder."""
_FORBIDDEN = (401, 403)


class Probe(Document):
    """What is written to see whether it can be."""


def look(patient: Patient) -> Iterator[Finding]:
    """Containers, then what may be done in each, then what protects them."""
    settings, account = patient.services.settings, patient.account
    names = (settings.state_container, settings.datasets_container, settings.prepared_container)
    seen = {name: _access(patient.blobs, name) for name in dict.fromkeys(names)}
    yield from judging.judge_containers(seen, account)
    yield judging.judge_state(_state_error(patient), settings.state_container, account)
    data, prepared = settings.datasets_container, settings.prepared_container
    yield judging.judge_data(_read_error(patient.blobs, data), data, "read", account)
    yield judging.judge_data(_write_error(patient.blobs, prepared), prepared, "written", account)
    yield _recovery(patient)


def _access(blobs: BlobServiceClient, name: str) -> Access:
    try:
        public = blobs.get_container_client(name).get_container_properties().public_access
    except ResourceNotFoundError:
        return "missing"
    except HttpResponseError as error:
        if error.status_code in _FORBIDDEN:
            return "forbidden"
        raise
    return "public" if public else "private"


def _state_error(patient: Patient) -> str:
    """Why a document can't be leased and written, empty if it can; a busy one was, by another."""
    try:
        with patient.store.lease(PROBE, Probe()) as lease:
            stored = patient.store.read(PROBE, Probe)
            if stored:
                patient.store.write(PROBE, Probe(), stored.etag, lease)
    except (BusyError, ConflictError):
        return ""
    except AzureError as error:
        return code_of(error)
    return ""


def _read_error(blobs: BlobServiceClient, name: str) -> str:
    try:
        pages = blobs.get_container_client(name).list_blob_names(results_per_page=1).by_page()
        next(pages, None)
    except AzureError as error:
        return code_of(error)
    return ""


def _write_error(blobs: BlobServiceClient, name: str) -> str:
    blob = blobs.get_blob_client(name, PREPARED_PROBE)
    try:
        blob.upload_blob(b"{}", overwrite=True)
        blob.delete_blob()
    except ResourceNotFoundError as error:
        return "" if code_of(error) == "BlobNotFound" else code_of(error)
    except AzureError as error:
        return code_of(error)
    return ""


def _recovery(patient: Patient) -> Finding:
    try:
        policy = patient.blobs.get_service_properties()["delete_retention_policy"]
    except HttpResponseError as error:
        if error.status_code not in _FORBIDDEN:
            raise
        return judging.judge_recovery(None, True, patient.account)
    days = policy.days if policy and policy.enabled else None
    return judging.judge_recovery(days, False, patient.account)
