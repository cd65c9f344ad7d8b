"""What one pull request, or many at once, may ask of TuneOps, and which are asked for again."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from tests.config_text import text as text_of
from tuneops import review
from tuneops.azureml.errors import MissingRoleError, RefusedError, UnavailableError
from tuneops.desired import Desired
from tuneops.gitops.errors import TooManyError
from tuneops.gitops.open_pulls import Page
from tuneops.gitops.review_text import Finding
from tuneops.gitops.snapshot import File, Proposal, Snapshot
from tuneops.notify.chosen import unknown_channel
from tuneops.queue import PullRequestRequest, PullRequestsRequest
from tuneops.resync import MAX_REVIEWS, resync_pull_requests


def services(github: Any) -> tuple[Any, list[Any]]:
    """Services with this GitHub and nothing stored, and what they send and store."""
    sent: list[Any] = []

    def update(value: Any) -> Any:
        sent.append(value)
        return value

    made = SimpleNamespace(
        environment="",
        github=github,
        store=SimpleNamespace(
            read=lambda *_: None, update=lambda path, kind, change: update(change(None))
        ),
        queue=SimpleNamespace(send=sent.append),
        now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
    )
    made.release, made.workspace, made.storage = lambda *_: None, None, None
    made.of = lambda environment: made
    made.unknown_channel = lambda config: unknown_channel(config, ["ml-team"])
    return made, sent


def test_another_policy_has_some_pull_requests_reviewed_at_a_time() -> None:
    pulls = [{"number": number, "head": {"sha": "a"}} for number in range(1, 101)]
    page = Page.model_validate({"etag": "e", "pulls": pulls})
    working, sent = services(SimpleNamespace(open_pulls=lambda known: {"1": page}))
    resync_pull_requests(PullRequestsRequest(), working)
    assert [request.number for request in sent[1:]] == list(range(101 - MAX_REVIEWS, 101))


@pytest.mark.parametrize(
    ("error", "remembered"),
    [
        (RefusedError("no such model"), True),
        (MissingRoleError("no role"), True),
        (UnavailableError("too many requests", 5), False),
    ],
)
def test_a_review_that_azure_did_not_answer_is_done_again(
    monkeypatch: pytest.MonkeyPatch, error: Exception, remembered: bool
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(review, "prospect", fail)
    states: list[str] = []
    working, sent = services(pull_request(text_of("bot"), states, []))
    review.review_pull_request(PullRequestRequest(number=1), working)
    assert states == ["failure"]
    assert [list(reviews.reviewed) for reviews in sent] == ([[1]] if remembered else [])


def test_a_channel_that_is_not_there_is_an_error() -> None:
    states: list[str] = []
    comments: list[str] = []
    config = text_of("bot", "notifications: {channels: [ml-teem]}")
    working, _ = services(pull_request(config, states, comments))
    review.review_pull_request(PullRequestRequest(number=1), working)
    assert states == ["failure"]
    assert "TUNEOPS_CHANNELS has no channel 'ml-teem'; did you mean 'ml-team'?" in comments[0]


def pull_request(text: str, states: list[str], comments: list[str]) -> Any:
    """A GitHub with a pull request that has this config; what it is told is kept."""
    content = text.encode()
    snapshot = Snapshot("c" * 40, (File("finetune/bot.yaml", "s"),))
    return SimpleNamespace(
        proposal=lambda number: Proposal(
            number, "h" * 40, snapshot, frozenset({"finetune/bot.yaml"})
        ),
        contents=lambda wanted: {file.path: content for file in wanted},
        comment=lambda number, mark, text, only_update: comments.append(text),
        set_status=lambda commit, **status: states.append(status["state"]),
    )


def test_a_pull_request_of_too_many_files_is_refused_once() -> None:
    def refuse(number: int) -> None:
        raise TooManyError("finetune/** in contoso/models means 2001 files, at most 2000 are read")

    said: list[dict[str, str]] = []
    github = SimpleNamespace(
        proposal=refuse,
        proposed=lambda number: "h" * 40,
        set_status=lambda commit, **status: said.append(status),
    )
    working, sent = services(github)
    review.review_pull_request(PullRequestRequest(number=1), working)
    assert [status["state"] for status in said] == ["failure"]
    assert "means 2001 files" in said[0]["description"]
    assert [list(reviews.reviewed) for reviews in sent] == [[1]]


def test_of_many_projects_in_a_pull_request_some_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [f"p-{number:03}" for number in range(review.MAX_PROJECTS + 7)]
    files = {f"finetune/{name}.yaml": text_of(name).encode() for name in names}
    snapshot = Snapshot("c" * 40, tuple(File(path, path) for path in files))
    said: list[str] = []
    github = SimpleNamespace(
        proposal=lambda number: Proposal(number, "h" * 40, snapshot, frozenset(files)),
        contents=lambda wanted: {file.path: files[file.path] for file in wanted},
        comment=lambda number, mark, text, only_update: said.append(text),
        set_status=lambda commit, **status: said.append(status["state"]),
    )
    looked_at: list[str] = []

    def look(desired: Desired, *_: object) -> Finding:
        looked_at.append(desired.project)
        return Finding(desired.project, desired.path)

    monkeypatch.setattr(review, "_finding", look)
    working, _ = services(github)
    review.review_pull_request(PullRequestRequest(number=1), working)
    assert looked_at == names[: review.MAX_PROJECTS]
    text, state = said
    assert "**7 more projects are changed, which nobody has looked at here.**" in text
    assert state == "success"
