"""The examples of docs/notifications.md do what they say."""

import hashlib
import hmac
import json
import re
import time
from pathlib import Path
from typing import Any

from tuneops.notify.channels.broken import BrokenChannel
from tuneops.notify.channels.making import make_channels
from tuneops.notify.channels.settings import KINDS
from tuneops.notify.channels.signature import HEADER, TIMESTAMP, signature

PAGE = (Path(__file__).parents[1] / "docs" / "notifications.md").read_text()


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.+?)```", PAGE, re.DOTALL)


def test_the_channels_of_the_examples_can_be_made() -> None:
    names = re.findall(r"TUNEOPS_CHANNEL_[A-Z_]+[A-Z]", PAGE)
    environment = dict.fromkeys(names, "https://hooks.example/0123456789")
    kinds: set[str] = set()
    for example in examples("json"):
        given: Any = json.loads(example)
        listed = given if isinstance(given, list) else [given]
        if "kind" not in listed[0]:
            continue
        for channel in make_channels(json.dumps(listed), [], environment, lambda: None):
            assert not isinstance(channel, BrokenChannel), channel.problem
        kinds |= {each["kind"] for each in listed}
    assert kinds == set(KINDS)


def test_the_receiver_of_the_example_knows_who_it_is_from() -> None:
    (code,) = examples("python")
    known: dict[str, Any] = {"hashlib": hashlib, "hmac": hmac, "time": time}
    exec(code, known)
    body, now = b'{"id": "bot:3:live"}', int(time.time())
    headers = {TIMESTAMP: str(now), HEADER: signature("0123456789abcdef", now, body)}
    assert known["is_from_tuneops"](headers, body, "0123456789abcdef")
    assert not known["is_from_tuneops"](headers, body + b" ", "0123456789abcdef")
    assert not known["is_from_tuneops"](headers, body, "another secret!!")
    later = {**headers, TIMESTAMP: str(now + 1)}
    assert not known["is_from_tuneops"](later, body, "0123456789abcdef")
    old = {TIMESTAMP: str(now - 900), HEADER: signature("0123456789abcdef", now - 900, body)}
    assert not known["is_from_tuneops"](old, body, "0123456789abcdef")
