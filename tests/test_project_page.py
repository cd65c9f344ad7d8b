"""The pages of a project and of its releases, from documents in real storage."""

import re
from html import unescape
from http import HTTPStatus

import pytest

from handlers import project_page
from tests.page_samples import PHASES, desired, failed, keep, release, training, troubled
from tuneops import documents
from tuneops.data.preparation import REPORT_JSON
from tuneops.data.report import DataReport, Reason
from tuneops.desired import Desired
from tuneops.gitops.repository import Refusal, Repository
from tuneops.page.answer import Answer
from tuneops.page.asked import Asked
from tuneops.release import Phase
from tuneops.services import Services

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>'
LARGEST_PAGE = 150_000


@pytest.fixture(autouse=True)
def _loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEOPS_PAGE_URL", "http://127.0.0.1:7071")


def page(services: Services, path: str, **headers: str) -> Answer:
    """What a browser on this computer is answered."""
    address, _, query = path.partition("?")
    _, _, project, *rest = address.split("/")
    parameters = {"project": project, "number": rest[1] if rest else ""}
    asked = Asked(
        path,
        headers={"host": "127.0.0.1:7071", **headers},
        query=dict(pair.split("=") for pair in query.split("&") if pair),
        parameters=parameters,
    )
    handle = project_page.handle_release if rest else project_page.handle
    return handle(asked, services)


def shown(services: Services, path: str) -> str:
    """The page that is there, which is not too large."""
    answer = page(services, path)
    assert answer.status == HTTPStatus.OK, answer.body
    assert len(answer.body) < LARGEST_PAGE
    return answer.body.decode()


def words(html: str) -> str:
    """The text of a page, without its markup."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def test_a_project_with_a_release_that_trains_and_one_that_is_live(services: Services) -> None:
    keep(services, release("bot", 1), failed("bot", 2, "no quota"), training("bot", 3), live=1)
    html = shown(services, "/projects/bot")
    text = words(html)
    assert "35 % · step 420 of about 1,200, epoch 1.05, loss 1.245 · about 5" in text
    assert "Newest: release 3" in text
    assert "Live: release 1" in text
    assert html.count('class="chart"') == 2
    assert "release 2 Failed in Training 04 Mar 09:30 9 min 4f2a91c0 no quota" in text
    assert 'href="https://github.com/contoso/models/commit/4f2a91c0' in html


def test_a_release_is_shown_with_the_one_before(services: Services) -> None:
    made = [release("bot", number) for number in (1, 2)]
    keep(services, *made, live=2)
    data = made[1].data
    assert data is not None
    reasons = (Reason(kind="no answer", rows=37, examples=("a.jsonl:7: has no answer",)),)
    report = DataReport(source="a", digest="d", reasons=reasons).model_dump_json()
    container = services.settings.prepared_container
    services.blobs.get_blob_client(container, f"{data.folder}/{REPORT_JSON}").upload_blob(report)
    text = words(shown(services, "/projects/bot/releases/2"))
    for expected in (
        "Release 2 of bot live newest",
        "eval_loss 1.32 1.33 -0.8 %, better",
        "Changed against release 1",
        "input learning_rate 2e-05 1e-05",
        "no answer 37 a.jsonl:7: has no answer",
        "37 refused, 212 seen before",
        "Answer Open Settings, choose Security and then Reset password.",
        "exact match 0.82 (live 0.79)",
        "cost of the training 4.3 to 8.1 USD, likely 5.7; a node's hour is 3.67 5.8 USD",
        "slack: sent 04 Mar 11:59",
        "traffic rises from 5 % at minutes 0 to 100 % at minutes 43.2",
        "0x8DC3A1B2C3D4E5F",
    ):
        assert expected in text, expected


def test_every_phase_has_a_page_of_its_own(services: Services) -> None:
    for number, phase in enumerate(PHASES, start=1):
        name = f"bot-{number}"
        keep(services, release(name, 1), release(name, 2, phase), live=1)
        for path in (f"/projects/{name}", f"/projects/{name}/releases/2"):
            assert f'data-phase="{phase}"' in shown(services, path)


def test_what_is_refused_is_said_and_other_projects_are_not_read(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    keep(services, release("bot", 1), live=1)
    keep(services, release("bot-2", 1), live=1)
    refused = {"p.yaml": Refusal(project="bot", why="eve may not change it", sha="", by="eve")}
    services.store.write(documents.repository(""), Repository(refused=refused), None)
    with caplog.at_level("INFO", logger="azure.core.pipeline.policies.http_logging_policy"):
        assert "Held back: eve may not change it" in words(shown(services, "/projects/bot"))
    asked = [each.message for each in caplog.records if "Request method" in each.message]
    assert 0 < len(asked) <= 20
    assert "bot-2" not in "".join(asked)
    assert "eve" not in words(shown(services, "/projects/bot-2"))


def test_sixty_releases_come_in_pages(services: Services) -> None:
    keep(services, *(failed("bot", number, f"reason {number}") for number in range(1, 61)))
    first = shown(services, "/projects/bot")
    assert [number in first for number in ("reason 60", "reason 11", "reason 10<")] == [
        True,
        True,
        False,
    ]
    older = re.search(r'href="(/projects/bot\?before=\d+)"', first)
    assert older is not None
    second = shown(services, older[1])
    assert "reason 10<" in second
    assert "reason 11<" not in second
    assert 'href="/projects/bot?before=61"' in second


def test_texts_of_others_are_only_texts(services: Services) -> None:
    made = troubled(release("bot", 2, Phase.SHIFTING), HOSTILE)
    (answer,) = made.smoke.answers
    smoke = made.smoke.replace(answers=(answer.replace(answer=HOSTILE, question=HOSTILE),))
    made = made.replace(smoke=smoke, rejected=HOSTILE, commit=HOSTILE, path=HOSTILE)
    made = made.link(**{HOSTILE: "https://a.example/", "job": f"javascript:{HOSTILE}"})
    keep(services, failed("bot", 1, HOSTILE), made)
    for path in ("/projects/bot", "/projects/bot/releases/1", "/projects/bot/releases/2"):
        html = shown(services, path)
        assert "<script>" not in html.replace("</script>", "")
        assert "<img src=x" not in html
        assert "javascript:" not in html
        assert " style=" not in html
        assert "&lt;script&gt;" in html


def test_what_has_no_end_is_cut(services: Services) -> None:
    made = release("bot", 1)
    (answer,) = made.smoke.answers
    long = answer.replace(answer="y" * 50_000, question="z" * 50_000)
    at = made.history[-1].at
    for number in range(300):
        made = made.advance(Phase.LIVE, at, f"{number} " + "x" * 2000)
    keep(services, made.replace(smoke=made.smoke.replace(answers=(long,) * 30)), live=1)
    shown(services, "/projects/bot/releases/1")
    shown(services, "/projects/bot")


@pytest.mark.parametrize(
    "path",
    [
        "/projects/other",
        "/projects/BOT!",
        "/projects/bot?before=x",
        "/projects/bot/releases/2",
        "/projects/bot/releases/0",
        "/projects/bot/releases/1e1",
        "/projects/bot/releases/99999999999",
        "/projects/../releases/1",
    ],
)
def test_what_is_not_there_is_said_to_be_missing(services: Services, path: str) -> None:
    keep(services, release("bot", 1), live=1)
    answer = page(services, path)
    assert answer.status == HTTPStatus.NOT_FOUND
    assert b"Not found" in answer.body


def test_a_project_without_a_release_has_a_page(services: Services) -> None:
    services.store.update(documents.desired("bot"), Desired, lambda _: desired("bot"))
    text = words(shown(services, "/projects/bot"))
    assert "Waiting for data" in text
    assert "There is no release yet." in text


def test_a_document_that_cant_be_read_is_named(services: Services) -> None:
    keep(services, release("bot", 1), release("bot", 2), live=2)
    container = services.settings.state_container
    for number in (1, 2):
        blob = services.blobs.get_blob_client(container, documents.release("bot", number))
        if number == 1:
            blob.upload_blob(b'{"project": 1}', overwrite=True)
            assert "release 2" in words(shown(services, "/projects/bot/releases/2"))
        else:
            blob.upload_blob(b"{", overwrite=True)
    for path in ("/projects/bot", "/projects/bot/releases/1"):
        answer = page(services, path)
        assert answer.status == HTTPStatus.INTERNAL_SERVER_ERROR
        assert b"put back an earlier version of this blob" in answer.body


def test_nothing_is_sent_that_a_browser_has(services: Services) -> None:
    keep(services, release("bot", 1), live=1)
    first = page(services, "/projects/bot/releases/1")
    tag = first.headers["ETag"]
    again = page(services, "/projects/bot/releases/1", **{"if-none-match": tag})
    assert again.status == HTTPStatus.NOT_MODIFIED
    assert again.body == b""


def test_the_page_is_for_this_computer_alone(services: Services) -> None:
    keep(services, release("bot", 1), live=1)
    assert page(services, "/projects/bot", host="evil.example").status == HTTPStatus.FORBIDDEN
