"""A job's file and model inputs as local paths."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from azure.core.exceptions import AzureError
from azure.storage.blob import BlobServiceClient, ContainerClient

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
    """The blob at the URL; where there is none, the folder of those below it."""
    try:
        container, path = _place(url, storage)
        service = BlobServiceClient.from_connection_string(storage.connection_string)
        with service.get_container_client(container) as blobs:
            target = folder / Path(path).name
            if blobs.get_blob_client(path).exists():
                _save(blobs, path, target)
            elif not _save_below(blobs, path.rstrip("/") + "/", target):
                raise InputError(f"Input '{name}': there is no blob {url}")
    except (AzureError, ValueError) as error:
        raise InputError(f"Input '{name}': {url} cannot be read: {error}") from error
    return target


def _save(blobs: ContainerClient, path: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        blobs.download_blob(path).readinto(file)


def _save_below(blobs: ContainerClient, prefix: str, target: Path) -> bool:
    """Whether there was anything to save."""
    found = False
    for path in blobs.list_blob_names(name_starts_with=prefix):
        place = target / path.removeprefix(prefix)
        if not place.resolve().is_relative_to(target.resolve()):
            raise ValueError(f"{path} leads out of the folder")
        _save(blobs, path, place)
        found = True
    return found


def _place(url: str, storage: Storage) -> tuple[str, str]:
    """The container and the path in it; only the workspace's own account is opened."""
    account = storage.blob_url.rstrip("/") + "/"
    door = storage.door_blob_url.rstrip("/") + "/"
    if not url.startswith((account, door) if storage.door_blob_url else account):
        raise ValueError(f"it is not below {account}")
    below = urlsplit(url).path.removeprefix(urlsplit(account).path)
    container, _, path = unquote(below).partition("/")
    if not container or not path:
        raise ValueError("it names no blob")
    return container, path
