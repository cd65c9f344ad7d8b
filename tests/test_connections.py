"""The threads of an instance share the connections to storage, which may lead through proxies, and
to endpoints."""

import base64
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue

import pytest
from pydantic import SecretStr

from tests.planned import release
from tuneops.azureml.scoring import Door, put
from tuneops.connections import shared_session
from tuneops.queue import RepositoryRequest
from tuneops.services import Services

THREADS = 24
KEY = base64.b64encode(b"key").decode()


def test_threads_that_call_at_once_leave_no_connection_to_open_anew(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    together = threading.Barrier(THREADS)

    def call(_: int) -> None:
        for _ in range(2):
            together.wait(60)
            services.store.has("nothing.json")
            together.wait(60)
            services.queue.send(RepositoryRequest())

    with caplog.at_level(logging.WARNING), ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(call, range(THREADS)))
    assert "pool is full" not in caplog.text


def test_what_the_environment_says_of_proxies_is_followed(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    with asked_for() as (port, seen):
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert not of("http://storage.example:10000/a", services).store.has("nothing.json")
        assert seen.get_nowait() == "http://storage.example:10000/a/tuneops/nothing.json"
        assert not of(f"http://127.0.0.1:{port}/a", services).store.has("nothing.json")
        assert seen.get_nowait() == "/a/tuneops/nothing.json", "it is asked itself"


def of(address: str, services: Services) -> Services:
    """The services with another storage account."""
    text = f"AccountName=a;AccountKey={KEY};BlobEndpoint={address}"
    changes = {"storage_connection_string": SecretStr(text), "state_container": "tuneops"}
    return Services(services.settings.model_copy(update=changes))


@contextmanager
def asked_for() -> Iterator[tuple[int, "SimpleQueue[str]"]]:
    """A server that has no blob, by its port, and what it was asked for."""
    seen: SimpleQueue[str] = SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            seen.put(self.path)
            self.send_response(404)
            self.send_header("x-ms-error-code", "BlobNotFound")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server.server_port, seen
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("chunked", [False, True])
def test_an_endpoint_is_asked_all_questions_on_one_connection(chunked: bool) -> None:
    seen: SimpleQueue[tuple[int, str | None]] = SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            seen.put((self.client_address[1], self.headers["cookie"]))
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("set-cookie", "who=me")
            how = ("transfer-encoding", "chunked") if chunked else ("content-length", "5")
            self.send_header(*how)
            self.end_headers()
            self.wfile.write(b'5\r\n"yes"\r\n0\r\n\r\n' if chunked else b'"yes"')

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        with shared_session() as session:
            door = Door(f"http://127.0.0.1:{server.server_port}/score", "key", session)
            replies = [put(door, release(), {}, "blue") for _ in range(3)]
        server.shutdown()
    assert [(reply.status, reply.text) for reply in replies] == [(200, "yes")] * 3
    asked = [seen.get_nowait() for _ in replies]
    assert {cookie for _, cookie in asked} == {None}
    assert len({port for port, _ in asked}) == 1
