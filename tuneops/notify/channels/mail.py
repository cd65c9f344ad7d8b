"""E-mail by SMTP, encrypted unless the server is this machine."""

import logging
import os
import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage
from functools import cache
from socket import SHUT_RDWR, socket
from threading import Timer
from typing import Any, Literal

from tuneops.message import Message
from tuneops.notify.channel import ChannelError
from tuneops.notify.channels.guard import check_address, is_loopback
from tuneops.notify.channels.letter import letter
from tuneops.notify.channels.picture import picture
from tuneops.notify.routing import Route

STEP_SECONDS = 10
TOTAL_SECONDS = 30
PORTS = {"starttls": 587, "tls": 465, "none": 25}

_NOBODY = "[127.0.0.1]"
"""What a mail server is greeted with; asking for this machine's own name may take long."""

Security = Literal["starttls", "tls", "none"]

log = logging.getLogger(__name__)


class MailChannel:
    """Some people's mailboxes, by one mail server."""

    def __init__(
        self,
        channel_id: str,
        name: str,
        route: Route,
        *,
        host: str,
        port: int,
        security: Security,
        username: str,
        password: str,
        sender: str,
        to: tuple[str, ...],
    ) -> None:
        self.id, self.name, self.route = channel_id, name, route
        self._host, self._port, self._security = host, port, security
        self._username, self._password = username, password
        self._sender, self._to = sender, to

    def send(self, message: Message, thread: str) -> str:
        """Send the message as a mail; what it answers is made from its release.

        Raises:
            ChannelError: the server did not take it.
        """
        mail = letter(message, self._sender, self._to, picture(message))
        check_address(self._host, self._port, os.environ)
        try:
            refused = self._deliver(mail)
        except smtplib.SMTPAuthenticationError as error:
            raise ChannelError(f"the login was refused ({error.smtp_code})") from error
        except smtplib.SMTPRecipientsRefused as error:
            codes = sorted({code for code, _ in error.recipients.values()})
            raise ChannelError(f"no recipient was accepted ({codes})") from error
        except smtplib.SMTPDataError as error:
            final = error.smtp_code in (552, 554)
            raise ChannelError(f"the mail was refused ({error.smtp_code})", final) from error
        except smtplib.SMTPNotSupportedError as error:
            raise ChannelError(f"the mail server can't do that: {error}") from error
        except smtplib.SMTPResponseException as error:
            raise ChannelError(f"the server refused ({error.smtp_code})") from error
        except (smtplib.SMTPException, OSError) as error:
            raise ChannelError(f"no answer of the mail server: {_what_failed(error)}") from error
        if refused:
            log.warning("%s: %d of its recipients were refused", self.name, len(refused))
        return ""

    def _deliver(self, mail: EmailMessage) -> dict[str, tuple[int, bytes]]:
        """Gives the recipients that were refused, if not all were."""
        server = self._server()
        try:
            self._check_peer(server)
            if self._security == "starttls":
                server.starttls(context=_trust())
            if self._username:
                server.login(self._username, self._password)
            refused = server.send_message(mail, self._sender, list(self._to))
            _leave(server)
        finally:
            server.close()
        return refused

    def _server(self) -> smtplib.SMTP:
        where = (self._host, self._port, _NOBODY)
        if self._security == "tls":
            return _TlsServer(*where, timeout=STEP_SECONDS, context=_trust())
        return _Server(*where, timeout=STEP_SECONDS)

    def _check_peer(self, server: smtplib.SMTP) -> None:
        host = _connected(server).getpeername()[0]
        check_address(host, self._port, os.environ)
        if self._security == "none" and not is_loopback(host):
            raise ChannelError("security none is for a mail server on this machine alone")


class _Server(smtplib.SMTP):
    """Its connection ends after a while whatever it says; each step has its own end besides."""

    def connect(
        self, host: str = "localhost", port: int = 0, source_address: Any = None
    ) -> tuple[int, bytes]:
        """Connect, and begin to count."""
        self._timer = Timer(TOTAL_SECONDS, _end, [self])
        self._timer.daemon = True
        self._timer.start()
        try:
            return super().connect(host, port, source_address)
        except OSError:
            self._timer.cancel()
            raise

    def close(self) -> None:
        """Close the connection, and count no more."""
        self._timer.cancel()
        super().close()


class _TlsServer(_Server, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte on."""


def _end(server: smtplib.SMTP) -> None:
    with suppress(OSError):
        _connected(server).shutdown(SHUT_RDWR)


def _connected(server: smtplib.SMTP) -> socket:
    if server.sock is None:
        raise ConnectionError("the server is gone")
    return server.sock


def _leave(server: smtplib.SMTP) -> None:
    """Say goodbye; the mail is delivered, whatever the server answers to that."""
    with suppress(smtplib.SMTPException, OSError):
        server.quit()


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def _what_failed(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted ({error.verify_message})"
    return type(error).__name__
