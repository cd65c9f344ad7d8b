"""Asking an endpoint as its callers do, and reading the answer as it arrives."""

from codecs import getincrementaldecoder
from collections.abc import Iterator
from typing import Any

import requests
from pydantic_core import from_json
from urllib3.exceptions import HTTPError

from tuneops.azureml.scoring import MAX_ANSWER_BYTES, Door, text_of
from tuneops.scrub import scrub

CONNECT_SECONDS = 20
PIECE_BYTES = 16 * 1024
MAX_SAID = 500


class AnswerError(Exception):
    """The endpoint gave no answer; the message says why, without the secret that lets in."""


class Answer:
    """The text of an answer in JSON, of which only the beginning has come so far."""

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._raw = ""
        self._shown = 0

    def add(self, piece: bytes) -> str:
        """What the next bytes add to the text; nothing while it is no text yet."""
        self._raw += self._decoder.decode(piece)
        try:
            text = text_of(from_json(self._raw, allow_partial="trailing-strings"))
        except ValueError:
            return ""
        new, self._shown = text[self._shown :], max(self._shown, len(text))
        return new

    @property
    def rest(self) -> str:
        """What came if it held no text, for the one who wonders why."""
        return "" if self._shown else self._raw


def ask(door: Door, body: dict[str, Any], deployment: str, seconds: float) -> Iterator[str]:
    """The answer in the pieces in which it comes; without a deployment the traffic decides who.

    Raises:
        AnswerError: there is none, or it broke off.
    """
    headers = {"Authorization": f"Bearer {door.secret}"}
    if deployment:
        headers["azureml-model-deployment"] = deployment
    timeout = (CONNECT_SECONDS, seconds)
    try:
        with door.session.post(
            door.uri, json=body, headers=headers, timeout=timeout, stream=True
        ) as got:
            if got.status_code != requests.codes.ok:
                raise AnswerError(_refusal(got.status_code, next(_pieces(got), b""), door))
            yield from _texts(got, door)
    except (requests.Timeout, TimeoutError) as error:
        raise AnswerError(f"the endpoint does not answer in {seconds:g} s") from error
    except requests.ConnectionError as error:
        raise AnswerError(f"the endpoint can't be reached ({type(error).__name__})") from error
    except (requests.RequestException, HTTPError) as error:
        raise AnswerError(f"the connection was lost ({type(error).__name__})") from error


def _texts(got: requests.Response, door: Door) -> Iterator[str]:
    answer, size = Answer(), 0
    for piece in _pieces(got):
        size += len(piece)
        if new := answer.add(piece):
            yield new
        if size > MAX_ANSWER_BYTES:
            raise AnswerError(f"the answer has more than {MAX_ANSWER_BYTES} bytes")
    if answer.rest:
        raise AnswerError(f"the answer has no text: {_short(answer.rest, door)}")


def _pieces(got: requests.Response) -> Iterator[bytes]:
    """The bytes as they come, without waiting for more of them."""
    while piece := got.raw.read1(PIECE_BYTES, decode_content=True):
        yield piece


def _refusal(status: int, said: bytes, door: Door) -> str:
    text = _short(said.decode("utf-8", "replace"), door)
    return f"the endpoint answers with status {status}{f': {text}' if text else ''}"


def _short(text: str, door: Door) -> str:
    return scrub(" ".join(text.split()), [door.secret])[:MAX_SAID]
