"""What a job leaves in the storage account, while that goes away for a moment."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from socket import SHUT_RDWR, create_connection, create_server, socket
from threading import Thread
from urllib.parse import urlsplit

import pytest

from localcloud.compute.artifacts import CommandLog, open_container, upload_folder
from localcloud.connection import Storage


class Door:
    """A way to an address that can be shut: then connections are taken and ended."""

    def __init__(self, to: tuple[str, int]) -> None:
        self._to = to
        self._listener = create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket] = []
        self._to_refuse = 0
        self.refused = 0
        Thread(target=self._serve, daemon=True).start()

    def shut(self, times: int) -> None:
        """End all connections, and so many of those that come."""
        self._to_refuse = times
        while self._open:
            self._end(self._open.pop())

    def close(self) -> None:
        """Be gone."""
        self.shut(0)
        self._end(self._listener)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self._to_refuse:
                    self._to_refuse -= 1
                    self.refused += 1
                    near.close()
                    continue
                far = create_connection(self._to)
                self._open += [near, far]
                for pair in ((near, far), (far, near)):
                    Thread(target=_pump, args=pair, daemon=True).start()

    @staticmethod
    def _end(connection: socket) -> None:
        with suppress(OSError):
            connection.shutdown(SHUT_RDWR)
        connection.close()


def _pump(source: socket, target: socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(SHUT_RDWR)


@pytest.fixture
def door(storage: str) -> Iterator[Door]:
    """The way to the storage account."""
    place = urlsplit(_blob_endpoint(storage))
    assert place.hostname
    assert place.port
    door = Door((place.hostname, place.port))
    yield door
    door.close()


@pytest.fixture
def behind(door: Door, storage: str) -> Storage:
    """The storage account behind the door."""
    url = re.sub(r"//[^/]+/", f"//127.0.0.1:{door.port}/", _blob_endpoint(storage))
    text = storage.replace(_blob_endpoint(storage), url)
    return Storage(account="devstoreaccount1", connection_string=text, blob_url=url, queue_url="")


def _blob_endpoint(connection_string: str) -> str:
    return dict(re.findall(r"(\w+)=([^;]*)", connection_string))["BlobEndpoint"]


def test_outputs_are_kept_when_storage_goes_away_for_a_moment(
    door: Door, behind: Storage, tmp_path: Path
) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "weights").write_bytes(b"all of them")
    container = open_container(behind, "artifacts-of-a-job")
    assert container
    door.shut(times=1)
    upload_folder(container, tmp_path, "out")
    assert door.refused == 1
    assert container.download_blob("out/deep/weights").readall() == b"all of them"


def test_a_log_waits_for_no_storage(
    door: Door, behind: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    container = open_container(behind, "logs-of-a-job")
    assert container
    log = CommandLog(container, "job")
    door.shut(times=5)
    log.write(b"lost\n")
    assert door.refused == 1
    assert "a job's log is not written" in caplog.text
    door.shut(times=0)
    log.write(b"kept\n")
    kept = container.download_blob("ExperimentRun/dcid.job/user_logs/std_log.txt").readall()
    assert kept == b"kept\n"


def test_without_storage_nothing_is_kept(door: Door, behind: Storage) -> None:
    door.shut(times=5)
    assert open_container(behind, "nowhere") is None
    assert door.refused == 1
