"""Receivers of messages on this machine: HTTP over TLS, and SMTP with STARTTLS and a login."""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server, socket
from threading import Event, Thread
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

HANG = "hang"
DRIP = "drip"
BIG = b"x" * 10_000_000


@dataclass
class Authority:
    """Who vouches for the receivers; its file is what SSL_CERT_FILE is to be."""

    folder: Path
    ca: trustme.CA = field(default_factory=trustme.CA)

    def __post_init__(self) -> None:
        self.file = self.folder / "ca.pem"
        self.ca.cert_pem.write_to_path(self.file)

    def server_side(self) -> ssl.SSLContext:
        """What a receiver on this machine shows."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        return context


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = tuple[int, dict[str, str], bytes]


class Receiver:
    """An HTTPS server that answers as told, with 200 when told nothing, and keeps what came."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.received: list[Received] = []
        self.answers: list[Answer | str] = []
        self.default: Answer = (200, {}, b"")
        self.over = Event()
        handler = type("Handler", (_Handler,), {"receiver": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        scheme = "https" if context else "http"
        if context:
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._server.server_port
        self.url = f"{scheme}://localhost:{self.port}"
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}).start()

    def forget(self) -> None:
        """Be as new."""
        self.over.set()
        self.over = Event()
        self.received, self.answers, self.default = [], [], (200, {}, b"")

    def close(self) -> None:
        """Stop listening."""
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.receiver.received.append(Received(self.path, headers, self.rfile.read(size)))
        answers = self.receiver.answers
        answer = answers.pop(0) if answers else self.receiver.default
        over = self.receiver.over
        if answer == HANG:
            over.wait(10)
        elif answer == DRIP:
            self._drip(over)
        elif not isinstance(answer, str):
            self._answer(*answer)
        self.close_connection = True

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self._write(body)

    def _drip(self, over: Event) -> None:
        """An answer of which something comes all the time, and that never ends."""
        self._write(b"HTTP/1.1 200 OK\r\n")
        while not over.wait(0.05) and self._write(b"x: y\r\n"):
            pass

    def _write(self, data: bytes) -> bool:
        try:
            self.wfile.write(data)
            self.wfile.flush()
        except OSError:
            return False
        return True

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class _AnyPort(Controller):
    """At a port that is free."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@dataclass
class MailServer:
    """An SMTP server for one login; `refuse` says with which line it answers to mails."""

    context: ssl.SSLContext
    username: str = "tuneops"
    password: str = "correct horse battery"
    refuse: str = ""
    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refuse:
            return self.refuse
        mail = message_from_bytes(envelope.content, policy=policy.SMTP)
        assert isinstance(mail, EmailMessage)
        self.mails.append((envelope.rcpt_tos, mail))
        return "250 OK"

    def authenticate(self, *given: Any) -> AuthResult:
        """Whether the login is the right one."""
        data = given[-1]
        right = (self.username.encode(), self.password.encode())
        known = isinstance(data, LoginPassword) and (data.login, data.password) == right
        return AuthResult(success=known, handled=False)

    @contextmanager
    def running(self, *, tls: bool = False) -> Iterator[int]:
        """The port that it listens at meanwhile, by STARTTLS, or by TLS from the first byte on."""
        how = {"ssl_context": self.context} if tls else {"tls_context": self.context}
        controller = _AnyPort(
            self,
            hostname="127.0.0.1",
            port=0,
            require_starttls=not tls,
            auth_required=True,
            auth_require_tls=not tls,
            authenticator=self.authenticate,
            **how,
        )
        controller.start()
        try:
            yield controller.port
        finally:
            controller.stop()


class Talker:
    """A mail server that greets without an end, or answers everything with the same line."""

    def __init__(self, line: bytes = b"") -> None:
        self._line = line
        self._over = Event()
        self._socket = create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        Thread(target=self._talk, daemon=True).start()

    def _talk(self) -> None:
        with suppress(OSError):
            connection, _ = self._socket.accept()
            with connection:
                if self._line:
                    self._answer(connection)
                while not self._over.wait(0.02):
                    connection.sendall(b"220-welcome\r\n")

    def _answer(self, connection: socket) -> None:
        connection.sendall(b"220 hello\r\n")
        while connection.recv(1000):
            connection.sendall(self._line)

    def close(self) -> None:
        """Fall silent."""
        self._over.set()
        self._socket.close()
