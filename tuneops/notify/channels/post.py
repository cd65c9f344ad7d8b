"""Posting to other people's servers: verified, bounded in time and size, never redirected."""

import asyncio
import logging
import os
import re
import ssl
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from typing import Any

import httpx2

from tuneops.notify.channel import ChannelError
from tuneops.notify.channels.guard import check_address, check_url
from tuneops.notify.pauses import LONGEST_ASKED
from tuneops.scrub import scrub

CONNECT_SECONDS = 5
TOTAL_SECONDS = 15
MAX_ANSWER_BYTES = 64 * 1024
MAX_SAID = 200
NOT_THIS_MESSAGE = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""With these a server refuses what it is sent; all else may be mended where the server is."""

logging.getLogger("httpx2").setLevel(logging.WARNING)  # it logs addresses, which may be secrets


@dataclass(frozen=True)
class Answer:
    """A server's answer that is no error; of a long one the beginning."""

    status: int
    body: bytes


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    secrets: Collection[str] = (),
    final: Collection[int] = NOT_THIS_MESSAGE,
) -> Answer:
    """Post to an address.

    Neither the address nor `secrets` are shown; with a status in `final` it is not tried again.

    Raises:
        ChannelError: there was no answer in time, or another one than a success.
    """
    check_url(url, os.environ)
    try:
        answer, given = asyncio.run(_post(url, body, headers))
    except TimeoutError as error:
        raise ChannelError(f"no answer within {TOTAL_SECONDS} seconds") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        raise ChannelError(f"no answer: {_what_failed(error)}") from error
    if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return answer
    raise _refusal(answer, given, (url, *_parts(url), *secrets), final)


async def _post(
    url: str, body: bytes, headers: Mapping[str, str]
) -> tuple[Answer, Mapping[str, str]]:
    end = asyncio.get_running_loop().time() + TOTAL_SECONDS
    timeout = httpx2.Timeout(TOTAL_SECONDS, connect=CONNECT_SECONDS)
    async with httpx2.AsyncClient(
        timeout=timeout, verify=_trust(), follow_redirects=False
    ) as client:
        request = client.build_request(
            "POST",
            url,
            content=body,
            headers={"user-agent": "tuneops", "accept-encoding": "identity", **headers},
            extensions={"trace": _look},
        )
        async with asyncio.timeout_at(end):
            response = await client.send(request, stream=True)
        return Answer(response.status_code, await _read(response, end)), response.headers


async def _read(response: httpx2.Response, end: float) -> bytes:
    """What there is of a body: whether the message was taken, the status has said already."""
    read = b""
    with suppress(TimeoutError, httpx2.HTTPError):
        async with asyncio.timeout_at(end):
            async for piece in response.aiter_raw(MAX_ANSWER_BYTES):
                read += piece
                if len(read) >= MAX_ANSWER_BYTES:
                    break
    return read[:MAX_ANSWER_BYTES]


async def _look(event: str, info: Mapping[str, Any]) -> None:
    """Once the name is resolved and before anything is sent, look where it has led."""
    if event == "connection.connect_tcp.complete":
        connection = info["return_value"]
        host, port, *_ = connection.get_extra_info("server_addr")
        try:
            check_address(str(host), int(port), os.environ)
        except ChannelError:
            await connection.aclose()
            raise


@cache
def _trust() -> ssl.SSLContext:
    """Which certificates are trusted; reading them takes longer than a post."""
    return httpx2.create_ssl_context()


def _what_failed(error: Exception) -> str:
    """The kind of failure; texts of errors may show addresses."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate is not trusted ({cause.verify_message})"
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


def _refusal(
    answer: Answer, headers: Mapping[str, str], secrets: Collection[str], final: Collection[int]
) -> ChannelError:
    text = f"status {answer.status}"
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        text += ": it redirects, which is not followed; set the address that it leads to"
    elif said := _said(answer.body, secrets):
        text += f": {said}"
    return ChannelError(
        text,
        permanent=answer.status in final,
        retry_after=retry_after(headers.get("retry-after", ""), datetime.now(UTC)),
    )


def _said(body: bytes, secrets: Collection[str]) -> str:
    """The first words of an answer, without secrets."""
    text = scrub(body.decode("utf-8", "replace"), sorted(secrets, key=len, reverse=True))
    words = "".join(c if c.isprintable() else " " for c in text).split()
    return " ".join(words)[:MAX_SAID]


def _parts(url: str) -> list[str]:
    """The parts of an address that may be a secret by themselves."""
    address = url.partition("://")[2].partition("/")[2]
    return [part for part in re.split(r"[/?&=#]", address) if len(part) >= 8]


def retry_after(header: str, now: datetime) -> float | None:
    """The seconds that a Retry-After asks for, by number or by date; None without a sensible one.

    No more than a channel gets.
    """
    longest = LONGEST_ASKED.total_seconds()
    header = header.strip()
    if re.fullmatch(r"[0-9]{1,9}", header):
        return min(float(header), longest)
    try:
        at = parsedate_to_datetime(header)
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), longest)
