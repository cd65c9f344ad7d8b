"""From blob to blob on Azurite: preparing, or copying through the client unchanged.

python bench/blobs.py prepare CONNECTION_STRING ROWS
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from azure.storage.blob import BlobServiceClient

ROOT = Path(__file__).parents[1]
SOURCE, TARGET, NAME = "datasets", "prepared", "chats/chats.jsonl"


@contextmanager
def storage(state: Path, source: Path) -> Iterator[str]:
    """The connection string of an Azurite that has the data as a blob."""
    cloud = [sys.executable, "-m", "localcloud"]
    options = ["--state", str(state), "--cache", str(ROOT / ".localcloud" / "cache")]
    up = [*cloud, "up", *options, "--app", str(ROOT), "--parts", "storage"]
    subprocess.run(up, cwd=ROOT, check=True, capture_output=True)
    try:
        connection = json.loads((state / "connection.json").read_text())
        text: str = connection["storage"]["connection_string"]
        with BlobServiceClient.from_connection_string(text) as service, source.open("rb") as file:
            service.get_blob_client(SOURCE, NAME).upload_blob(file, overwrite=True)
        yield text
    finally:
        down = [*cloud, "down", "--state", str(state)]
        subprocess.run(down, cwd=ROOT, check=True, capture_output=True)


def by_prepare(service: BlobServiceClient) -> None:
    """What a release does."""
    import os

    from tuneops.config import ProjectConfig
    from tuneops.data.prepare import Storage, find_source, prepare

    config = ProjectConfig.model_validate(
        {"name": f"bench-{os.getpid()}", "model": {"name": "m"}, "data": {"path": "chats"}}
    )
    place = Storage(service, SOURCE, TARGET, 10**10, os.cpu_count() or 1)
    source = find_source(place, config)
    if source is None:
        raise SystemExit("the blob is not there")
    prepare(place, source, config)


def by_copy(service: BlobServiceClient) -> None:
    """The blob as it is, in pieces."""
    pieces = service.get_blob_client(SOURCE, NAME).download_blob().chunks()
    service.get_blob_client(TARGET, "copy.jsonl").upload_blob(pieces, overwrite=True)


WAYS = {"prepare": by_prepare, "copy": by_copy}


def main(name: str, connection: str, rows: int) -> None:
    """Do it, and print how many rows and seconds."""
    with BlobServiceClient.from_connection_string(connection) as service:
        service.get_account_information()
        begun = time.perf_counter()
        WAYS[name](service)
        seconds = time.perf_counter() - begun
    print(json.dumps({"rows": rows, "seconds": seconds}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
