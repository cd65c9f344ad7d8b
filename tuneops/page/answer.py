"""What a browser is answered. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
PRIVATE = "private, no-cache"
HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    """A response; `SECURITY` goes with every one."""

    status: HTTPStatus = HTTPStatus.OK
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def all_headers(self) -> dict[str, str]:
        """What goes to the browser."""
        return {**SECURITY, **self.headers}


def html(text: str, status: HTTPStatus = HTTPStatus.OK, cache: str = PRIVATE) -> Answer:
    """A page."""
    body = text.encode()
    headers = {"Content-Type": HTML, "Cache-Control": cache, "ETag": etag(body)}
    return Answer(status, body, headers)


def see_other(address: str, status: HTTPStatus = HTTPStatus.SEE_OTHER) -> Answer:
    """On to another address of this page."""
    headers = {"Location": address, "Content-Type": HTML, "Cache-Control": "no-store"}
    return Answer(status, headers=headers)


def etag(body: bytes) -> str:
    """A strong ETag: equal for equal bytes alone."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def unless_known(answer: Answer, if_none_match: str) -> Answer:
    """304 in place of a page that the browser says it has."""
    tag = answer.headers.get("ETag")
    known = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    if answer.status != HTTPStatus.OK or not tag or not known & {tag, "*"}:
        return answer
    kept = {name: answer.headers[name] for name in ("ETag", "Cache-Control")}
    return Answer(HTTPStatus.NOT_MODIFIED, headers={**kept, "Content-Type": HTML})
