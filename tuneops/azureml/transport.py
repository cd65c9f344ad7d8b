"""How the SDK's calls reach Azure: nobody's operation is polled, and nothing is asked twice.

Within one look at a project, what Azure has said is not asked again until something of its kind is
changed: each step of a look observes anew, and the SDK asks for the workspace or the endpoint
before most of its own calls. What is read to be written back is read `afresh`.
"""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from operator import itemgetter
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

if TYPE_CHECKING:
    from azure.core.pipeline.transport import HttpTransport

POLLER = "LROPoller"
"""What the names of the threads begin with in which azure-core polls an operation."""
SECONDS, STEADY_SECONDS = 3.0, 600.0
"""How long an answer counts within a look, and one about what does not change."""
STEADY = re.compile(r"/(workspaces/[^/]+|vmSizes)$", re.IGNORECASE)
CHANGES_NOTHING = re.compile(r"/(listKeys|token)$", re.IGNORECASE)
NAMES = re.compile(r"/onlineEndpoints/[^/]+/deployments$", re.IGNORECASE)
"""Of what the SDK asks for at an older version of the API as well, for the names alone."""
KIND = re.compile(r"/workspaces/[^/]+/([^/]+)", re.IGNORECASE)
"""What is behind a workspace: a job that is submitted changes no endpoint."""
OK, NOT_FOUND = 200, 404

CONNECT_SECONDS, READ_SECONDS = 10, 30
"""A call that nobody answers is given up after so long; the SDK itself would wait five minutes."""


class NobodyWaitsError(Exception):
    """The end of an operation is found by a later look."""


class Memory:
    """What was answered in one look, by address and version of the API."""

    def __init__(self, steady: "Memory | None" = None) -> None:
        self._steady = steady
        self._known: dict[tuple[str, str], tuple[float, Any]] = {}

    def get(self, url: str, send: Callable[[], Any]) -> Any:
        """The answer to a GET, from before if it was given just now."""
        address, path, version = _parted(url)
        if self._steady and STEADY.search(path):
            return self._steady.get(url, send)
        since = monotonic() - (SECONDS if self._steady else STEADY_SECONDS)
        known = [
            answer
            for (where, at_version), answer in self._known.items()
            if where == address and answer[0] > since and _serves(path, at_version, version)
        ]
        if known:
            return max(known, key=itemgetter(0))[1]
        answer = send()
        if answer.status_code == OK or (self._steady and answer.status_code == NOT_FOUND):
            self._known[address, version] = (monotonic(), answer)
        return answer

    def change(self, method: str, url: str) -> None:
        """Something may have been written: what was known of its kind may be otherwise.

        So may be what is of no kind: quota changes with what takes it.
        """
        if method == "GET" or CHANGES_NOTHING.search(urlsplit(url).path):
            return
        written = _kind(url)
        others = {each for each in self._known if written and _kind(each[0]) not in ("", written)}
        self._known = {each: known for each, known in self._known.items() if each in others}


_memory: ContextVar[Memory | None] = ContextVar("memory", default=None)
_afresh: ContextVar[bool] = ContextVar("afresh", default=False)
_whether: ContextVar[bool] = ContextVar("whether", default=False)
_steady = Memory()


@contextmanager
def one_look() -> Iterator[None]:
    """Within this, what was read is not asked for again until something is written."""
    token = _memory.set(Memory(_steady))
    try:
        yield
    finally:
        _memory.reset(token)


@contextmanager
def afresh() -> Iterator[None]:
    """Within this, Azure is asked: what is changed and written back must be as it is now.

    Which deployments there are is not asked again: those without traffic keep none.
    """
    token = _afresh.set(True)
    try:
        yield
    finally:
        _afresh.reset(token)


@contextmanager
def whether() -> Iterator[None]:
    """Within this, the SDK asks whether something is there, and for nothing of it.

    So what is known of it at any version of the API answers that.
    """
    token = _whether.set(True)
    try:
        yield
    finally:
        _whether.reset(token)


def sent(method: str, url: str) -> None:
    """A request went past the SDK: what it may have changed is not known any more."""
    memory = _memory.get()
    if memory is not None:
        memory.change(method, url)


def shared() -> "HttpTransport[Any, Any]":
    """A transport for all clients of one identity, which share its connections."""
    from azure.core.pipeline.transport import RequestsTransport

    class Transport(RequestsTransport):  # type: ignore[misc]
        """Sends a request unless its answer is known or nobody waits for it."""

        def send(self, request: Any, **options: Any) -> Any:
            if threading.current_thread().name.startswith(POLLER):
                raise NobodyWaitsError
            memory = _memory.get()
            if memory is None:
                return super().send(request, **options)
            if request.method == "GET" and not options.get("stream"):
                return memory.get(
                    request.url, lambda: super(Transport, self).send(request, **options)
                )
            try:
                return super().send(request, **options)
            finally:
                memory.change(request.method, request.url)

        def __exit__(self, *error: object) -> None:
            """Stay open: others use it."""

        def close(self) -> None:
            """Stay open: others use it."""

    made = Transport(connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS)
    made.open()  # once, before threads may do it at the same time
    return made


def _serves(path: str, known: str, asked: str) -> bool:
    """Whether what is known at one version of the API answers what is asked at another."""
    if NAMES.search(path):
        return known >= asked
    return not _afresh.get() and (known == asked or _whether.get())


def _kind(url: str) -> str:
    """What an address is about, such as `jobs`; empty where it is not behind a workspace."""
    found = KIND.search(urlsplit(url).path)
    return found[1].lower() if found else ""


def _parted(url: str) -> tuple[str, str, str]:
    """The address without the version of the API, its path, and the version."""
    parts = urlsplit(url)
    asked = dict(parse_qsl(parts.query))
    version = asked.pop("api-version", "")
    return parts._replace(query=urlencode(asked)).geturl(), parts.path, version
