"""Logs in pieces, and answers as they come: nothing is lost, nothing comes twice."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from azure.storage.blob import BlobClient, ContainerSasPermissions, generate_container_sas
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneops import names
from tuneops.azureml import talking
from tuneops.azureml.logs import LogFile
from tuneops.azureml.scoring import Door
from tuneops.azureml.talking import Answer, AnswerError
from tuneops.connections import shared_session
from tuneops.reading import logs, positions
from tuneops.reading.logs import Log, Of
from tuneops.reading.positions import BadPositionError
from tuneops.services import Services

START = Log(project="bot", release=1, of=Of.JOB, phase="Training", pieces=(), next="")


# Positions

LINES = st.lists(st.sampled_from(["GET / 200", "ready", "step 1", "step 2", ""]), max_size=60)


@settings(max_examples=60, deadline=None)
@given(LINES, st.lists(st.integers(0, 60), max_size=6))
def test_the_end_of_a_log_is_read_on_from_its_mark(lines: list[str], looks: list[int]) -> None:
    """A log that grows between looks, and is kept whole; numbered, as lines have their times."""
    written = [f"{place} {line}" for place, line in enumerate(lines)]
    read: list[str] = []
    mark = positions.START
    for length in sorted({*looks, len(written)}):
        there = written[:length]
        new = positions.after_mark(there, mark)
        assert new is not None
        read += new
        mark = positions.mark_of(there)
    assert read == written


def test_lines_that_are_gone_are_told_of() -> None:
    mark = positions.mark_of(["a", "b"])
    assert positions.after_mark(["x", "y"], mark) is None
    assert positions.after_mark(["a", "b", "c"], mark) == ["c"]


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(max_size=9), st.integers(1, 10**9), max_size=50))
def test_a_position_comes_back(read: dict[str, int]) -> None:
    known = {names.digest(file): count for file, count in read.items()}
    assert positions.decode(positions.encode(known)) == known


@pytest.mark.parametrize("text", ["x", "0123456789ab", "0123456789ab-1.", "0123456789ab--1"])
def test_what_is_no_position(text: str) -> None:
    with pytest.raises(BadPositionError, match="leave it out"):
        positions.decode(text)


@given(st.text(max_size=8), st.integers(0, 40))
def test_no_character_is_cut(text: str, length: int) -> None:
    raw = text.encode()[:length]
    whole = positions.whole_characters(raw)
    assert len(raw) - len(whole) < 4
    assert text.startswith(whole.decode())


# Files


@pytest.fixture
def files(services: Services) -> Callable[[str], tuple[BlobClient, LogFile]]:
    """Makes an append blob, and what opens it to a reader."""
    container = services.blobs.get_container_client(services.settings.datasets_container)
    token = generate_container_sas(
        str(services.blobs.account_name),
        container.container_name,
        account_key=services.blobs.credential.account_key,
        permission=ContainerSasPermissions(read=True),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )

    def make(name: str) -> tuple[BlobClient, LogFile]:
        blob = container.get_blob_client(name)
        blob.create_append_blob()
        return blob, LogFile(names.digest(name), name, f"{blob.url}?{token}")

    return make


def read_all(files: list[LogFile], begun: Log) -> Log:
    """All there is from a position on; as one answer, with the pieces of all."""
    pieces = []
    while True:
        begun = logs._of_files(files, positions.decode(begun.next), begun)
        pieces += begun.pieces
        if not begun.more:
            return begun.model_copy(update={"pieces": tuple(pieces)})


def test_files_that_grow_are_read_to_their_ends(
    files: Callable[[str], tuple[BlobClient, LogFile]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MAX_BYTES", 40)
    (one, first), (two, second) = files("one.txt"), files("two.txt")
    both = [first, second]
    assert read_all(both, START).pieces == ()

    one.append_block(b"eins\nzwei, token=abcdefgh")
    two.append_block("ä" * 50)
    seen = read_all(both, START)
    told: dict[str, str] = {"one.txt": "", "two.txt": ""}
    for piece in seen.pieces:
        told[piece.file] += piece.text
    assert told["one.txt"] == "eins\n"
    assert told["two.txt"] == "ä" * 40  # the rest may be the beginning of a secret

    one.append_block(b"12345678\ndrei\n")
    two.append_block(b"\nend")
    seen = read_all(both, seen.model_copy(update={"pieces": ()}))
    assert [p.text for p in seen.pieces if p.file == "one.txt"] == ["zwei, token=[hidden]\ndrei\n"]
    away = read_all([], seen.model_copy(update={"pieces": ()}))
    assert (away.pieces, away.next) == ((), seen.next)
    over = read_all(both, seen.model_copy(update={"pieces": (), "over": True}))
    assert [(p.file, p.text) for p in over.pieces] == [("two.txt", "end")]
    assert read_all(both, over.model_copy(update={"pieces": ()})).pieces == ()


# Answers


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40), st.lists(st.integers(0, 300), max_size=6), st.booleans())
def test_an_answer_is_the_same_in_any_pieces(text: str, cuts: list[int], escaped: bool) -> None:
    raw = json.dumps([{"output": text}], ensure_ascii=escaped).encode("utf-8", "replace")
    wanted = json.loads(raw)[0]["output"]
    answer, places = Answer(), sorted({0, *cuts, len(raw)})
    told = [answer.add(raw[a:b]) for a, b in zip(places, [*places[1:], len(raw)], strict=True)]
    assert "".join(told) == wanted


@contextmanager
def endpoint(send: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[Door]:
    """An endpoint that answers like this."""

    class Model(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            send(self)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield Door(f"http://127.0.0.1:{server.server_port}/score", "the-key-of-it", shared_session())
    server.shutdown()
    server.server_close()


def chunk(handler: BaseHTTPRequestHandler, text: str) -> None:
    raw = text.encode()
    handler.wfile.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")


def test_the_beginning_is_shown_while_the_rest_is_made() -> None:
    shown = threading.Event()
    asked: dict[str, str | None] = {}

    def send(handler: BaseHTTPRequestHandler) -> None:
        for name in ("authorization", "azureml-model-deployment"):
            asked[name] = handler.headers[name]
        handler.send_response(200)
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        chunk(handler, '{"output": "Open the ')
        assert shown.wait(20)
        chunk(handler, 'lid."}')
        chunk(handler, "")

    with endpoint(send) as door:
        pieces = talking.ask(door, {}, "blue", 20)
        assert next(pieces) == "Open the "
        shown.set()
        assert "".join(pieces) == "lid."
    assert asked == {
        "authorization": "Bearer the-key-of-it",
        "azureml-model-deployment": "blue",
    }


def reply(status: int, text: str, length: int | None = None) -> Callable[..., None]:
    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("content-length", str(len(text) if length is None else length))
        handler.end_headers()
        handler.wfile.write(text.encode())

    return send


def silent(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.recv(1)


@pytest.mark.parametrize(
    ("send", "why"),
    [
        (reply(424, "no memory, the-key-of-it"), "answers with status 424: no memory, [hidden]"),
        (reply(401, ""), "the endpoint answers with status 401"),
        (reply(200, '{"error": "none"}'), 'the answer has no text: {"error": "none"}'),
        (reply(200, "<html>"), "the answer has no text: <html>"),
        (reply(200, '{"output": "half', 400), "the connection was lost (ProtocolError)"),
        (silent, "the endpoint does not answer in 0.3 s"),
    ],
)
def test_why_there_is_no_answer(send: Callable[..., None], why: str) -> None:
    with endpoint(send) as door, pytest.raises(AnswerError) as told:
        list(talking.ask(door, {}, "", 0.3))
    assert why in str(told.value)
    assert "the-key-of-it" not in str(told.value)


def test_nobody_at_the_door() -> None:
    with pytest.raises(AnswerError, match=r"the endpoint can't be reached \(ConnectionError\)"):
        list(talking.ask(Door("http://127.0.0.1:9/score", "k", shared_session()), {}, "", 1))
