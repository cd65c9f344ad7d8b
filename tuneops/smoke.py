"""The smoke test's requests, and what speaks against an answer. Pure."""

from typing import Any

from tuneops.config import Expectations, SmokeTest
from tuneops.patterns import is_found

OK = 200
_MATCHED_CHARACTERS = 4_000

Conversation = list[dict[str, str]]


def request(conversation: Conversation, settings: SmokeTest) -> dict[str, Any]:
    """The body that asks for the next turn, in the shape of the tutorial's sample_score.json."""
    parameters = settings.model_dump(
        include={"temperature", "top_p", "do_sample", "max_new_tokens"}
    )
    return {
        "input_data": {"input_string": [conversation], "parameters": parameters},
        "params": {},
    }


def failures(status: int, seconds: float, answer: str, settings: SmokeTest) -> tuple[str, ...]:
    """Why an answer does not pass; empty when it does."""
    if status != OK:
        return (f"status {status}",)
    found = []
    if not answer.strip():
        found.append("the answer is empty")
    if settings.max_seconds is not None and seconds > settings.max_seconds:
        found.append(f"took {seconds:.1f} s, more than {settings.max_seconds:g} s")
    return (*found, *_unmet(answer, settings.expect))


def _unmet(answer: str, expect: Expectations) -> list[str]:
    unmet = [f"does not contain {text!r}" for text in expect.contains if text not in answer]
    unmet += [f"contains {text!r}" for text in expect.does_not_contain if text in answer]
    if expect.matches:
        unmet += _unmatched(answer[:_MATCHED_CHARACTERS], expect.matches)
    if expect.max_characters is not None and len(answer) > expect.max_characters:
        unmet.append(f"has {len(answer)} characters, more than {expect.max_characters}")
    return unmet


def _unmatched(answer: str, pattern: str) -> list[str]:
    """A release of an earlier version may have a pattern that is not taken any more."""
    try:
        return [] if is_found(pattern, answer) else [f"does not match {pattern!r}"]
    except ValueError as error:
        return [f"smoke_test.expect.matches: {error}"]
