"""Why data can't be used."""

from collections.abc import Iterator
from contextlib import contextmanager

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError

from tuneops.permissions.explaining import PAGE
from tuneops.permissions.roles import BLOBS
from tuneops.storage_refusal import explained


class DataError(Exception):
    """The data can't be trained on; the message says why and what to do."""


class TooLargeError(DataError):
    """The data is more than a function prepares; a job of Azure ML does it."""


class DataChangedError(Exception):
    """The blob was replaced while it was read; the newer one counts."""


class DataUnavailableError(Exception):
    """The data can't be read now; it is worth trying again."""


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Turn the storage SDK's exceptions into `DataUnavailableError`, with what mends them."""
    try:
        yield
    except ResourceNotFoundError as error:
        missing = ": a blob has gone" if is_no_blob(error) else " does not exist; create it"
        raise DataUnavailableError(f"{what}{missing}") from error
    except HttpResponseError as error:
        if error.status_code not in (401, 403):
            raise DataUnavailableError(f"{what}: the storage account does not answer") from error
        raise DataUnavailableError(f"{what}: {refusal(error)}") from error
    except AzureError as error:
        raise DataUnavailableError(f"{what}: the storage account does not answer") from error


def refusal(error: AzureError) -> str:
    """What a refusal of the storage account says of the role that is missing."""
    return explained(error) or (
        f"may not be read: give TuneOps's identity the role {BLOBS.name} at the storage account "
        f"({PAGE}), and see that the account's firewall lets it in"
    )


def is_no_blob(error: ResourceNotFoundError) -> bool:
    """Whether it is the blob that is not there, and not its container."""
    return getattr(error, "error_code", "") == "BlobNotFound"
