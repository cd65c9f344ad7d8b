"""Templates, markup and commands in what people, models, data and Azure say."""

import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from rich.console import Console

from tests.attacks.site import KEY, Site
from tests.page_samples import failed, keep, release
from tests.test_page import Tags
from tuneops.actuals import actuals
from tuneops.cli.output import plain
from tuneops.gitops.final_text import section
from tuneops.page.texts import links
from tuneops.release import Release

HOSTILE = (
    "{{7*7}}{% for a in b %}${7*7}<%= 7*7 %>#{7*7}"
    "<script>alert(1)</script><img src=x onerror=alert(1)>"
    "\"'><svg/onload=alert(1)><style>*{display:none}</style>"
    "</code></pre><iframe src=javascript:alert(1)></iframe><base href=//evil.example>"
)
KEYED = {"x-functions-key": KEY}
RUNS = {"script", "iframe", "object", "embed", "base", "style", "form", "meta"}


def hostile(name: str, number: int) -> Release:
    """A release in which all that others say is hostile."""
    made = release(name, number)
    (answer,) = made.smoke.answers
    answer = answer.replace(question=HOSTILE, request=HOSTILE, answer=HOSTILE, failures=(HOSTILE,))
    again = made.history[-1].at + timedelta(minutes=1)
    smoke = made.smoke.replace(answers=(answer,))
    evil = {"job": "javascript:alert(1)", HOSTILE: "https://evil.example/"}
    return made.replace(smoke=smoke, commit=HOSTILE, path=HOSTILE).advance(
        made.phase, again, HOSTILE, evil
    )


@pytest.fixture(scope="module")
def shown(site: Site) -> dict[str, str]:
    """The pages of two such projects."""
    keep(site.services, hostile("evil", 1), live=1)
    keep(site.services, failed("worse", 1, HOSTILE))
    paths = ("/projects/evil", "/projects/evil/releases/1", "/projects/worse")
    answers = {path: site.ask("GET", path, headers=KEYED) for path in paths}
    assert {each.status_code for each in answers.values()} == {200}
    return {path: each.text for path, each in answers.items()}


def test_no_template_in_a_text_is_filled_in(shown: dict[str, str]) -> None:
    for text in shown.values():
        assert "{{7*7}}" in text
        assert "${7*7}" in text
        assert "49{% for" not in text


def test_no_markup_in_a_text_is_markup(site: Site, shown: dict[str, str]) -> None:
    plain = Tags(site.ask("GET", "/projects/bot", headers=KEYED).text)
    ours = {attributes.get("src") for tag, attributes in plain.found if tag == "script"}
    for path, text in shown.items():
        tags = Tags(text).found
        assert {a.get("src") for tag, a in tags if tag == "script"} == ours, path
        assert not {tag for tag, _ in tags if tag in RUNS - {"script", "form", "meta"}}
        names = {name for _, attributes in tags for name in attributes}
        assert not [name for name in names if name == "style" or name.startswith("on")]
        targets = [str(a.get("href") or a.get("action") or "") for _, a in tags]
        assert not [each for each in targets if each.lower().startswith("javascript:")]


def test_prompts_and_answers_are_texts(shown: dict[str, str]) -> None:
    class Texts(HTMLParser):
        found = ""

        def handle_data(self, data: str) -> None:
            self.found += data

    parser = Texts()
    parser.feed(shown["/projects/evil/releases/1"])
    assert parser.found.count("<script>alert(1)</script>") >= 2
    assert "&lt;script&gt;" in shown["/projects/evil/releases/1"]


def test_a_link_leads_to_the_web_alone() -> None:
    given = {
        "a": "javascript:alert(1)",
        "b": "data:text/html,<script>",
        "c": "file:///etc/passwd",
        "d": "//evil.example",
        "e": " javascript:alert(1)",
        "f": "vbscript:x",
    }
    assert dict(links(given)) == {}


def test_a_comment_on_github_has_foreign_text_in_code_alone() -> None:
    made = hostile("evil", 1).replace(commit="c" * 40)
    text = section(made.replace(actuals=actuals(made)), None)
    assert not re.search(r"[<>]|javascript", re.sub(r"`[^`\n]*`", "", text))


def test_a_terminal_is_not_steered() -> None:
    steering = "\x1b[2J\x1b]0;owned\x07\x9b31m\r\x08[link=https://evil.example]x[/link]"
    console = Console(width=200, markup=False, emoji=False, highlight=False)
    with console.capture() as told:
        console.print(plain(steering))
    assert not set("\x1b\x07\x9b\x08\r") & set(told.get())
    assert "[link=" in told.get()
