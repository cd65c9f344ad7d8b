"""Several messages as one, and the texts that a message may hold."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.planned import desired, release
from tuneops.cause import MAX_SUBJECT, Brought, Cause, brought
from tuneops.credit import credited, explained
from tuneops.desired import Desired, Source
from tuneops.gitops import commits
from tuneops.gitops.errors import GitHubError
from tuneops.gitops.snapshot import Head
from tuneops.message import SEVERITIES, Message
from tuneops.notify.digests import MAX_LINES, digest
from tuneops.notify.links import Places, first, linked, places
from tuneops.notify.model import short
from tuneops.notify.plain import MAX_OTHER, MAX_TEXT, MAX_TITLE, fitted, line, lines
from tuneops.notify.why import cause_of, why
from tuneops.orders import Orders, Retry
from tuneops.release import Phase, Release

NOW = datetime(2026, 1, 1, 9, 0, tzinfo=UTC)


def message(number: int, project: str = "bot", **said: object) -> Message:
    made = Message(
        key=f"{project}:{number}",
        event="live",
        title=f"{project}: release {number} is live",
        text=f"text {number}\nmore",
        at=NOW + timedelta(minutes=number),
        project=project,
        release=number,
        links={"page": f"https://t/{project}/{number}"},
    )
    return made.replace(**said)


def test_a_digest_is_read_project_by_project_the_newest_last() -> None:
    told = [
        message(1, severity="error", figure="eval_loss 2"),
        message(2, "faq"),
        message(3, severity="warning"),
        message(4, "", title="sweep of w: 2 resources belong to nothing"),
    ]
    made = digest(told, NOW)
    assert made.title == "4 messages of 2 projects, 1 error, 1 warning"
    assert made.text.splitlines() == [
        "faq:",
        "- 09:02 UTC release 2 is live: text 2",
        "bot:",
        "- 09:01 UTC release 1 is live: eval_loss 2",
        "- 09:03 UTC release 3 is live: text 3",
        "of no project:",
        "- 09:04 UTC sweep of w: 2 resources belong to nothing: text 4",
    ]
    assert (made.severity, made.project, made.event) == ("error", "", "digest")
    assert made.links == {
        "faq": "https://t/faq/2",
        "bot": "https://t/bot/3",
        "page": "https://t//4",
    }


def test_a_digest_of_one_project_is_its_own_and_one_message_is_itself() -> None:
    assert digest([message(1)], NOW) == message(1)
    made = digest([message(1), message(2)], NOW)
    assert (made.title, made.project) == ("2 messages of bot", "bot")
    with pytest.raises(ValueError, match="empty"):
        digest([], NOW)


def test_a_digest_says_how_many_it_does_not_show() -> None:
    told = [message(number) for number in range(100)]
    *shown, last = digest(told, NOW).text.splitlines()
    assert last == f"and {100 - MAX_LINES} more, earlier ones"
    assert shown[-1].endswith("release 99 is live: text 99")


MESSAGES = st.lists(
    st.builds(
        message,
        st.integers(0, 999),
        st.sampled_from(["bot", "staging.faq", "labs.a", ""]),
        severity=st.sampled_from(SEVERITIES),
        figure=st.text(max_size=700),
    ),
    min_size=2,
    max_size=80,
)


@settings(max_examples=40)
@given(MESSAGES)
def test_a_digest_fits_and_is_the_same_for_the_same_messages(told: list[Message]) -> None:
    made = digest(told, NOW)
    assert made == digest(tuple(told), NOW)
    assert made.key != digest([*told, message(1000)], NOW).key
    assert len(made.text) <= MAX_TEXT
    assert made.severity == max((each.severity for each in told), key=SEVERITIES.index)
    rows = [row for row in made.text.splitlines() if row.startswith("- ")]
    left = made.text.splitlines()[-1]
    hidden = int(left.split()[1]) if left.endswith(" more, earlier ones") else 0
    assert len(rows) + hidden == len(told)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a\tb\x00c\r\nd", "a b c d"),
        ("token=abcdefgh12345678", "token=[hidden]"),
        ("File /mnt/azureml/cr/j/1/exe/wd/train.py failed", "File train.py failed"),
        ("'/home/ada/x/rows.jsonl'", "'rows.jsonl'"),
        ("C:\\Users\\ada\\rows.jsonl", "rows.jsonl"),
        ("see https://example.org/home/ada/x", "see https://example.org/home/ada/x"),
        ("datasets/home/x.jsonl", "datasets/home/x.jsonl"),
        ("\u202eevil\u202c", "evil"),
        ("x" * 600, "x" * (MAX_OTHER - 3) + "..."),
    ],
)
def test_a_line_is_plain(given: str, expected: str) -> None:
    assert line(given) == expected


@settings(max_examples=60)
@given(st.text(max_size=4_000), st.text(max_size=600))
def test_texts_fit_and_stay_as_they_are_then(text: str, other: str) -> None:
    raw = message(1, text=text, title=other, why=other, figure=other, following=other)
    made = fitted(raw)
    assert fitted(made) == made
    assert len(made.text) <= MAX_TEXT
    assert len(made.title) <= MAX_TITLE
    assert all(len(each) <= MAX_OTHER for each in (made.why, made.figure, made.following))
    assert "\n" not in made.title + made.why
    assert lines(made.text) == made.text


@pytest.mark.parametrize(
    ("api", "expected"),
    [
        ("https://api.github.com", "https://github.com/contoso/models"),
        ("https://git.contoso.com/api/v3/", "https://git.contoso.com/contoso/models"),
        ("http://127.0.0.1:7", ""),
    ],
)
def test_where_a_repository_is_shown(api: str, expected: str) -> None:
    assert places("https://t/", api, "contoso/models") == Places("https://t", expected)


def test_links_lead_to_the_release_first_and_may_be_made_again() -> None:
    where = Places("https://t", "https://g/r")
    made = linked(message(1, commit="abc", links={"job": "https://j"}), where)
    assert list(made.links.items()) == [
        ("page", "https://t/projects/bot/releases/1"),
        ("job", "https://j"),
        ("commit", "https://g/r/commit/abc"),
    ]
    assert linked(made, where) == made
    assert linked(message(1, "", release=None, links={}), where).links == {"page": "https://t/"}
    assert linked(message(1, links={}), Places()).links == {}
    assert first(made.links) == "https://t/projects/bot/releases/1"
    assert first({"commit": "https://g"}) == ""


@pytest.mark.parametrize(
    ("message", "subject"),
    [
        ("Train on the new FAQ\n\nbody", "Train on the new FAQ"),
        ("Merge pull request #7 from ada/faq\n\nNew FAQ\n\nbody", "New FAQ (#7)"),
        ("Merge pull request #7 from ada/faq", "Merge pull request #7 from ada/faq"),
        ("\n\n  Late\n", "Late"),
        ("", ""),
        ("x" * 900, "x" * MAX_SUBJECT),
        ("key ghp_" + "a" * 36, "key [hidden]"),
    ],
)
def test_a_commit_says_what_its_first_line_does(message: str, subject: str) -> None:
    assert brought("abc", message, "ada").subject == subject


@pytest.mark.parametrize(
    ("author", "said"),
    [
        ({"author": {"login": "ada"}, "commit": {"author": {"name": "Ada L."}}}, "ada"),
        ({"author": None, "commit": {"author": {"name": "Ada L."}}}, "Ada L."),
        ({"author": {}, "commit": {"author": {"name": "Ada L."}}}, "Ada L."),
        ({"commit": {"author": None, "message": None}}, ""),
        ({}, ""),
    ],
)
def test_an_author_need_not_have_an_account(author: dict[str, object], said: str) -> None:
    assert commits.read({"sha": "abc", **author}).author == said


@pytest.mark.parametrize(
    ("parents", "answers", "asked", "commit"),
    [
        pytest.param(("before",), True, [], "head", id="alone"),
        pytest.param((), True, [], "head", id="the-first-of-all"),
        pytest.param(("other",), True, ["finetune/bot.yaml"], "of finetune/bot.yaml", id="several"),
        pytest.param(("other",), False, ["finetune/bot.yaml"], "head", id="github-is-away"),
    ],
)
def test_github_is_asked_only_where_the_head_can_not_tell(
    parents: tuple[str, ...], answers: bool, asked: list[str], commit: str
) -> None:
    questions: list[str] = []

    def ask(paths: list[str]) -> dict[str, Brought]:
        questions.extend(paths)
        if not answers:
            raise GitHubError("it is away")
        return {path: Brought(commit=f"of {path}") for path in paths}

    head = Head("head", parents=parents, brought=Brought(commit="head"))
    (found,) = credited([desired()], "before", head, ask)
    assert (found.brought, questions) == (Brought(commit=commit), asked)
    told = message(1, commit="head", why="")
    assert explained([told, message(2, commit="other")], head)[0].why == "commit head"
    assert explained([message(2, commit="other")], head)[0].why == ""


NEWER = Source(name="bot/b.jsonl", version="2", size=1)
FAILED = release().replace(phase=Phase.FAILED)


@pytest.mark.parametrize(
    ("wanted", "before", "orders", "said"),
    [
        pytest.param(
            desired().replace(brought=Brought(commit="abcdefgh", subject="FAQ", author="ada")),
            None,
            Orders(),
            'commit abcdefg "FAQ" by ada; upload bot/a.jsonl, 20 rows to train on',
            id="first",
        ),
        pytest.param(
            desired("training: {parameters: {seed: 7}}\n"),
            release(),
            Orders(),
            "commit 0000000",
            id="config",
        ),
        pytest.param(
            desired().replace(source=NEWER),
            release(),
            Orders(),
            "upload bot/b.jsonl, 20 rows to train on",
            id="data",
        ),
        pytest.param(
            desired(),
            FAILED,
            Orders(retry=Retry(release=1, by="ada", at=NOW)),
            "tried again by ada, after release 1",
            id="retry",
        ),
        pytest.param(
            desired().replace(source=NEWER),
            FAILED,
            Orders(retry=Retry(release=1, by="ada", at=NOW)),
            "upload bot/b.jsonl, 20 rows to train on",
            id="data-before-the-retry",
        ),
        pytest.param(
            desired(),
            FAILED.replace(forbidden=True),
            Orders(),
            "the policy allows it now",
            id="allowed",
        ),
        pytest.param(
            desired(), FAILED, Orders(), "the same config and data once more", id="put-back"
        ),
    ],
)
def test_who_or_what_led_to_a_release(
    wanted: Desired, before: Release | None, orders: Orders, said: str
) -> None:
    cause = cause_of(wanted, before, orders)
    assert why(release().replace(cause=cause, source=wanted.source)) == said


def test_a_release_of_an_earlier_version_says_what_it_knows() -> None:
    assert why(release()) == "commit 0000000; upload bot/a.jsonl, 20 rows to train on"
    assert Cause() == Cause.model_validate_json("{}")


def test_models_are_called_by_name_and_version() -> None:
    assert short("azureml://registries/azureml/models/Phi-3/versions/13") == "Phi-3:13"
    assert short("azureml:Phi-3:13") == "Phi-3:13"
