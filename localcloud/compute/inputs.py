"""A job's file and model inputs as local paths."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob import BlobClient, BlobServiceClient

from localcloud.connection import Storage


class InputError(Exception):
    """An input cannot be fetched; the message says which and why."""


def fetch_inputs(
    assets: Mapping[str, str], storage: Storage, base_model: Path, folder: Path
) -> dict[str, Path]:
    """Local paths of a job's inputs.

    Args:
        assets: by input, a local path, a blob's URL, or the id of the registry's model.
        base_model: the folder of the registry's model.
        folder: where downloads go, one folder for each input.

    Raises:
        InputError: an input is not there or cannot be read.
    """
    return {
        name: _fetch(name, reference, storage, base_model, folder / name)
        for name, reference in assets.items()
    }


def _fetch(name: str, reference: str, storage: Storage, base_model: Path, folder: Path) -> Path:
    if reference.startswith("azureml://registries/"):
        return base_model
    if reference.startswith(("http://", "https://")):
        return _download(name, reference, storage, folder)
    path = Path(reference)
    if not path.exists():
        raise InputError(f"Input '{name}': {reference} does not exist.")
    return path


def _download(name: str, url: str, storage: Storage, folder: Path) -> Path:
    try:
        with _blob_client(url, storage) as blob:
            target = folder / Path(blob.blob_name).name
            folder.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                blob.download_blob().readinto(file)
    except ResourceNotFoundError as error:
        raise InputError(f"Input '{name}': there is no blob {url}") from error
    except (AzureError, ValueError) as error:
        raise InputError(f"Input '{name}': {url} cannot be read: {error}") from error
    return target


def _blob_client(url: str, storage: Storage) -> BlobClient:
    """A client for the URL; only the workspace's own account is opened with its key."""
    account = storage.blob_url.rstrip("/") + "/"
    if not url.startswith(account):
        raise ValueError(f"it is not below {account}")
    container, _, path = unquote(urlsplit(url).path[len(urlsplit(account).path) :]).partition("/")
    if not container or not path:
        raise ValueError("it names no blob")
    service = BlobServiceClient.from_connection_string(storage.connection_string)
    return service.get_blob_client(container, path)
