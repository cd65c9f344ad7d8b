"""A receiver of JSON over HTTP that answers as it is told, and writes down what it gets."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Receiver:
    """`titles` has what it has taken, in order; `asked` counts all requests.

    Once it is `over` it answers nobody any more.
    """

    port: int = 0
    status: int = 200
    seconds: float = 0
    titles: list[str] = field(default_factory=list)
    asked: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def url(self, options: str = "") -> str:
        """As apprise has it, with a secret in it."""
        return f"json://user:Hunter2Hunter2@127.0.0.1:{self.port}/?cto=60&rto=60{options}"


@contextmanager
def receiving(status: int = 200, seconds: float = 0) -> Iterator[Receiver]:
    """A receiver that takes `seconds` to answer with the status."""
    receiver = Receiver(status=status, seconds=seconds)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.asked += 1
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if receiver.over.wait(receiver.seconds):
                return
            if receiver.status < 300:
                receiver.titles.append(body["title"])
            self.send_response(receiver.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
