"""docs/security.md: each threat has its proof; and what no other test shows."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import azure.functions as func
from typer.testing import CliRunner

from tests.documents import ROOT
from tests.served import functions
from tuneops.cli import app

PAGE = (ROOT / "docs" / "security.md").read_text()
THREAT = re.compile(r"^\| ([STRIDE]) \| (.+?) \| (.+) \| (.*) \|$", re.MULTILINE)
PROOF = re.compile(r"`tests/[\w/]+\.py::test_\w+`")
OPEN = {"github_webhook", "health", "page_static"}
"""The first has a signature, the others tell nothing."""
PAGES = {"page", "project_page", "release_page", "page_action"}
"""The host wants a key of them where nobody has to sign in."""


def test_every_threat_has_a_proof() -> None:
    threats = THREAT.findall(PAGE)
    assert len(threats) > 50
    assert [threat for _, threat, _, proof in threats if not PROOF.search(proof)] == []
    assert {kind for kind, *_ in threats} == set("STRIDE")


def test_only_these_functions_are_open() -> None:
    triggers = {each.get_function_name(): each.get_trigger() for each in functions()}
    levels = {name: trigger.get_dict_repr().get("authLevel") for name, trigger in triggers.items()}
    http = {name: level for name, level in levels.items() if level is not None}
    assert len(http) > 15
    assert {name for name, level in http.items() if level == func.AuthLevel.ANONYMOUS} == OPEN
    assert {name for name, level in http.items() if level == func.AuthLevel.FUNCTION} >= PAGES


@contextmanager
def noting(asked: list[tuple[str, str | None]]) -> Iterator[str]:
    """A server that notes the address and the key that it is asked with."""

    class Noting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["x-functions-key"]))
            self.send_error(401)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Noting)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_cli_sends_its_key_in_a_header() -> None:
    asked: list[tuple[str, str | None]] = []
    with noting(asked) as url:
        for command in ("status", "audit", "cost", "doctor"):
            said = CliRunner().invoke(app, [command, "--url", url, "--key", "a-secret-key"])
            assert "a-secret-key" not in said.output
    assert len(asked) >= 4
    assert {key for _, key in asked} <= {"a-secret-key", None}
    assert not [path for path, _ in asked if "secret" in path]
    assert [key for _, key in asked].count("a-secret-key") >= 4
