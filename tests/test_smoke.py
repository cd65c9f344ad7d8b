"""What a deployment answers, and what is wrong with it."""

import pytest

from tuneops.azureml.scoring import _text
from tuneops.config import Expectations, SmokeTest
from tuneops.smoke import failures


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"output": "yes"}', "yes"),
        (b'[{"output": "yes"}]', "yes"),
        (b'"yes"', "yes"),
        (b'["yes", "no"]', "yes"),
        (b"plain text", "plain text"),
        (b'{"output": []}', ""),
        (b'{"output": [""]}', ""),
        (b'{"output": null}', ""),
        (b'{"error": "CUDA out of memory"}', ""),
        (b"{}", ""),
        (b"[]", ""),
        (b"7", ""),
        (rb'{"output": "\ud83d\ude00 \ud800"}', "\U0001f600 ?"),
        (b"[" * 100_000, "[" * 100_000),
    ],
)
def test_the_text_of_an_answer(body: bytes, text: str) -> None:
    assert _text(body) == text


@pytest.mark.parametrize(
    ("expect", "answer", "failed"),
    [
        ({}, "yes", False),
        ({}, " ", True),
        ({"contains": ["yes"]}, "oh yes", False),
        ({"contains": ["no"]}, "oh yes", True),
        ({"does_not_contain": ["yes"]}, "oh yes", True),
        ({"matches": r"\d+"}, "42", False),
        ({"matches": r"\d+"}, "none", True),
        ({"matches": "yes$"}, "oh yes\n", False),
        ({"matches": r"(a+)+$"}, "a" * 3_999 + "!", True),
        ({"matches": "(?=a)a"}, "a", True),
        ({"max_characters": 3}, "four", True),
    ],
)
def test_expectations(expect: dict[str, object], answer: str, failed: bool) -> None:
    settings = SmokeTest(expect=Expectations.model_validate(expect))
    assert bool(failures(200, 0.1, answer, settings)) == failed


def test_status_and_time_count_as_well() -> None:
    assert failures(500, 0.1, "yes", SmokeTest())
    assert failures(200, 9.0, "yes", SmokeTest(max_seconds=5))
    assert not failures(200, 4.0, "yes", SmokeTest(max_seconds=5))
