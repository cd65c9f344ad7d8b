"""docs/tutorial.md and its pictures go together."""

import html
import re
import shlex
from pathlib import Path

import pytest

from tools.pictures.tutorial import Shot, TutorialError, Typed, Until, pictures, steps
from tuneops.cli.reference import commands

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "tutorial.md").read_text()
STEPS = steps(TEXT)
FOLDER = ROOT / "docs" / "pictures"
MOST_BYTES, MOST_BYTES_OF_ALL = 150_000, 1_500_000
COMMANDS = commands()


def command(words: list[str]) -> tuple[str, list[str]]:
    """The command that a line names, and its own words."""
    for length in (3, 2):
        name = " ".join(words[:length])
        if name in COMMANDS:
            return name, words[length:]
    raise AssertionError(f"there is no command {' '.join(words)}")


def squeezed(text: str) -> str:
    """The text without white space, as a picture breaks lines."""
    return "".join(text.split())


def test_every_picture_is_shown_and_every_shown_picture_is_there() -> None:
    there = {each.name for each in FOLDER.iterdir()}
    assert there == pictures(TEXT), "run 'make pictures'"
    assert pictures((ROOT / "README.md").read_text()) <= there


def test_the_script_makes_what_is_shown() -> None:
    made = {f"{step.picture}.svg" for step in STEPS if isinstance(step, Typed) and step.picture}
    shots = [step.picture for step in STEPS if isinstance(step, Shot)]
    assert len(shots) == len(set(shots))
    made |= {f"{shot}{scheme}.png" for shot in shots for scheme in ("", "-dark")}
    assert made == pictures(TEXT)


def test_every_picture_is_described() -> None:
    described = re.findall(r"!\[([^\]]+)\]\(pictures/|<img alt=\"([^\"]+)\" ", TEXT)
    assert len(described) == sum(bool(getattr(step, "picture", "")) for step in STEPS)


@pytest.mark.parametrize("line", [line for s in STEPS if isinstance(s, Typed) for line in s.lines])
def test_what_is_typed_is_a_command(line: str) -> None:
    words = shlex.split(line)
    if words[0] == "tuneops":
        name, own = command(words)
        COMMANDS[name].make_context(name, own)
    else:
        assert words[0] in {"cp", "echo", "git", "mkdir", "sed"}


def test_what_a_picture_shows_was_typed_like_that() -> None:
    for step in STEPS:
        if isinstance(step, Typed) and step.picture:
            drawn = (FOLDER / f"{step.picture}.svg").read_text()
            shown = squeezed(html.unescape("".join(re.findall(r"<text [^>]*>([^<]*)<", drawn))))
            for line in step.lines:
                assert squeezed(f"$ {line}") in shown, "run 'make pictures'"


def test_pictures_are_small_and_show_no_machine() -> None:
    sizes = {each.name: each.stat().st_size for each in FOLDER.iterdir()}
    assert {name for name, size in sizes.items() if size > MOST_BYTES} == set()
    assert sum(sizes.values()) < MOST_BYTES_OF_ALL
    for drawn in FOLDER.glob("*.svg"):
        assert not re.search(r"/(home|root|tmp|Users|work)/|url\(\"http", drawn.read_text())


def test_the_tutorial_is_read_as_steps() -> None:
    text = (
        "<!-- exits: 2 -->\n```sh\na \\\n  b\nc\n```\n\n![x](pictures/a.svg)\n\n"
        "<!-- until: bot 1 Waiting for data -->\n<!-- page: /x width=390 part=#told li -->\n"
        '<picture>\n  <img alt="x" src="pictures/b.png">\n</picture>\n'
    )
    assert steps(text) == [
        Typed(("a \\\n  b", "c"), 2, "a"),
        Until("bot", 1, "Waiting for data"),
        Shot("b", "/x", 390, 0, "#told li"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "![x](pictures/a.svg)",
        '<img alt="x" src="pictures/b.png">',
        "<!-- until: bot Live -->",
        "<!-- exits: badly -->",
        '<!-- page: / height=high -->\n<img alt="x" src="pictures/b.png">',
    ],
)
def test_an_order_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(TutorialError):
        steps(text)
