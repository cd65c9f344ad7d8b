"""A hub on this machine: of the Hugging Face hub's HTTP API what reading datasets needs."""

import hashlib
import json
import re
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "8049631c405ae6576f93f445c6b8166f76f5505a"
_API = re.compile(
    r"/api/datasets/(?P<repo>[^/]+/[^/]+)"
    r"(/(?P<what>revision|tree|paths-info)/(?P<revision>[^/]+)(/(?P<folder>.*))?)?"
)
_FILE = re.compile(r"/datasets/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")


@dataclass
class Hub:
    """Datasets by name, each the files of its one commit; `read` are the files that were read.

    The files of `gated` datasets are refused, `silent` ones get no answer.
    """

    datasets: dict[str, dict[str, bytes]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    read: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """What HF_ENDPOINT is to be."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if found := _API.fullmatch(path):
            self._api(found)
        elif found := _FILE.fullmatch(path):
            self._file(found)
        else:
            self._refuse(404, "EntryNotFound")

    do_HEAD = do_POST = do_GET  # noqa: N815

    def _api(self, found: re.Match[str]) -> None:
        size = int(self.headers.get("content-length") or 0)
        wanted = parse_qs(self.rfile.read(size).decode()).get("paths", [])
        files = self._files(found)
        if files is None:
            return
        if found["what"] == "tree":
            self._json(_listed(files, found["folder"] or ""))
        elif found["what"] == "paths-info":
            self._json([_entry(name, files[name]) for name in wanted if name in files])
        else:
            siblings = [{"rfilename": name} for name in files]
            self._json({"id": found["repo"], "sha": COMMIT, "siblings": siblings})

    def _file(self, found: re.Match[str]) -> None:
        files = self._files(found)
        if files is None:
            return
        content = files.get(found["path"])
        if found["repo"] in self.hub.gated:
            self._refuse(401, "GatedRepo")
        elif content is None:
            self._refuse(404, "EntryNotFound")
        else:
            self._send(f"{found['repo']}/{found['path']}", content)

    def _send(self, name: str, content: bytes) -> None:
        """The file, or the range of it that is asked for."""
        first, last = 0, len(content) - 1
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", ""))
        if asked:
            first, last = int(asked[1]), min(int(asked[2] or last), last)
        piece = content[first : last + 1]
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("content-range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("accept-ranges", "bytes")
        self.send_header("etag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("x-repo-commit", COMMIT)
        self.send_header("content-type", "application/octet-stream")
        self.send_header("content-length", str(len(piece)))
        self.end_headers()
        if self.command != "HEAD":
            self.hub.read.append(name)
            self.wfile.write(piece)

    def _files(self, found: re.Match[str]) -> dict[str, bytes] | None:
        """The dataset's files; None after saying that there are none."""
        files = self.hub.datasets.get(found["repo"])
        if found["repo"] in self.hub.silent:
            self.close_connection = True
        elif files is None:
            self._refuse(404, "RepoNotFound")
        elif found["revision"] not in (None, "main", COMMIT):
            self._refuse(404, "RevisionNotFound")
        else:
            return files
        return None

    def _refuse(self, status: int, code: str) -> None:
        self._json({"error": code}, status, code)

    def _json(self, value: Any, status: int = 200, code: str = "") -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        if code:
            self.send_header("x-error-code", code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def _listed(files: dict[str, bytes], folder: str) -> list[dict[str, Any]]:
    """What is right in a folder of the dataset."""
    below = {
        name: name.removeprefix(f"{folder}/").partition("/")
        for name in files
        if not folder or name.startswith(f"{folder}/")
    }
    prefix = f"{folder}/" if folder else ""
    folders = sorted({f"{prefix}{first}" for first, deeper, _ in below.values() if deeper})
    here = [_entry(name, files[name]) for name, parts in below.items() if not parts[1]]
    return [*here, *({"type": "directory", "oid": "0" * 40, "size": 0, "path": f} for f in folders)]


def _entry(name: str, content: bytes) -> dict[str, Any]:
    oid = hashlib.sha1(content).hexdigest()
    return {"type": "file", "oid": oid, "size": len(content), "path": name}
