"""Callers that send without end, or hardly at all: nobody else waits for them."""

import socket
import threading
import time
from collections.abc import Iterator

import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette

from tests.attacks.site import Site, unchanged

SLOW = 60
"""So many hold a connection open; the host has 16 threads for functions."""
HEAD = b"POST /api/github HTTP/1.1\r\nhost: 127.0.0.1\r\n"


@pytest.fixture
def port(site: Site) -> Iterator[int]:
    """The host on a port, without its listeners and timers."""
    quiet = Starlette(routes=site.app.routes)
    config = uvicorn.Config(quiet, host="127.0.0.1", port=0, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = server.force_exit = True
    thread.join()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(HEAD, id="half-of-the-headers"),
        pytest.param(HEAD + b"content-length: 5000\r\n\r\n{", id="half-of-the-body"),
        pytest.param(HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n", id="chunks"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_slow_callers_hold_nobody_up(site: Site, port: int, sent: bytes) -> None:
    with unchanged(site.services) as recorded:
        held = [socket.create_connection(("127.0.0.1", port)) for _ in range(SLOW)]
        for each in held:
            each.sendall(sent)
        begun = time.monotonic()
        answer = httpx2.get(f"http://127.0.0.1:{port}/api/health", trust_env=False, timeout=20)
        assert (answer.status_code, time.monotonic() - begun < 5) == (200, True)
        for each in held:
            each.close()
        answer = httpx2.get(f"http://127.0.0.1:{port}/api/health", trust_env=False, timeout=20)
        assert answer.status_code == 200
    assert recorded == [], "what never came whole reaches no function"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 200_000, b"400", id="headers"),
        pytest.param(HEAD + b"content-length: -1\r\n\r\n", b"400", id="negative-length"),
        pytest.param(HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\n", b"400", id="two"),
        pytest.param(HEAD + b"x\x00: a\r\n\r\n", b"400", id="broken-lines"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01", b"400", id="another-protocol"),
    ],
)
def test_what_is_no_request_is_refused(site: Site, port: int, sent: bytes, status: bytes) -> None:
    with unchanged(site.services), socket.create_connection(("127.0.0.1", port), 5) as caller:
        caller.sendall(sent)
        caller.settimeout(5)
        assert caller.recv(100).split()[1] == status
