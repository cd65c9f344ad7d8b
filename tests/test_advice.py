"""What people read when Azure says no: codes explained, and no secret."""

import pytest

from tuneops.azureml.metrics import MAX_POINTS, thinned
from tuneops.azureml.reasons import advised, is_transient
from tuneops.release import Point
from tuneops.scrub import HIDDEN, scrub


def test_codes_that_people_meet_come_with_advice() -> None:
    assert "liveness_probe.initial_delay" in advised("ResourceNotReady: container crashed")
    assert "max_seq_length" in advised("step finetune failed: CUDA out of memory. Tried to")
    assert advised("something else") == "something else"
    assert is_transient("OperationCanceled: try again")
    assert not is_transient("OutOfQuota: none")


@pytest.mark.parametrize(
    "text",
    [
        '{"primaryKey": "SECRETSECRETSECRET", "x": 1}',
        "AccountKey=SECRETSECRETSECRET;EndpointSuffix=x",
        "authorization: Bearer SECRETSECRETSECRET",
        "https://a.blob.core.windows.net/c/b?sv=1&sig=SECRETSECRETSECRET",
        "token: SECRETSECRETSECRET",
        "the key hf_SECRETSECRETSECRET was used",
        "sk-SECRETSECRETSECRET",
        "ghp_SECRETSECRETSECRET",
        "ghs_1001_eyJhbGciOiJI.SECRETSECRETSECRET.SECRET",
        "github_pat_SECRETSECRETSECRET",
        "eyJhbGciOiJI.SECRETSECRETSECRET.sig",
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str) -> None:
    assert "SECRET" not in scrub(text)
    assert HIDDEN in scrub(text)


@pytest.mark.parametrize("text", ["token count 12", "keys: a, b", "task-force", "a secret place"])
def test_plain_words_stay(text: str) -> None:
    assert scrub(text) == text


def test_a_long_curve_keeps_its_ends() -> None:
    points = [Point(step=step, value=step) for step in reversed(range(1000))]
    kept = thinned(points)
    assert len(kept) == MAX_POINTS
    assert (kept[0].step, kept[-1].step) == (0, 999)
    assert [point.step for point in kept] == sorted({point.step for point in kept})
