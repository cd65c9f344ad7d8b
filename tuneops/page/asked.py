"""What a browser asks for. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request; names of headers are in lower case, `parameters` are those of the route."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path, from the root on."""
        return urlsplit(self.url).path or "/"

    @property
    def host(self) -> str:
        """The host that the browser means, without its port; empty when it names none."""
        try:
            return urlsplit(f"//{self.headers.get('host', '')}").hostname or ""
        except ValueError:
            return ""

    def without_key(self) -> "Asked":
        """The same without a function key in the query, where none is asked for."""
        kept = {name: value for name, value in self.query.items() if name != "code"}
        return replace(self, query=kept)

    def link(self, path: str, /, **query: object) -> str:
        """An address of the page; a function key that came in the query goes along."""
        given = {name: str(value) for name, value in query.items() if value not in (None, "")}
        if code := self.query.get("code"):
            given["code"] = code
        return f"{path}?{urlencode(given)}" if given else path
