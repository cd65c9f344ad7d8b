"""What all commands have in common: help, examples, exit codes, JSON, completion, no traceback."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import httpx2
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from tests.planned import NOW, come_to, desired, release, until
from tests.served import served
from tuneops import documents
from tuneops.cli import app
from tuneops.cli.charts import chart
from tuneops.cli.metrics import chosen, groups
from tuneops.cli.output import plain
from tuneops.cli.reference import commands, example, reference
from tuneops.cli.releases import render
from tuneops.curves import Curve
from tuneops.desired import Desired
from tuneops.project import Project
from tuneops.reading.releases import ReleaseLine
from tuneops.release import Metrics, Phase, Point, Release, TrainingPlan
from tuneops.services import Services
from tuneops.store import Store

ROOT = Path(__file__).parents[1]
PROGRAM = Path(sys.executable).with_name("tuneops")
ALWAYS_JSON, A_STORY = "tuneops schema", "tuneops local demo"
COMMANDS = commands()


def run(*line: str, url: str = "", **options: Any) -> Result:
    """A command in a pipe, asking the app at `url`."""
    environment = {"TUNEOPS_URL": url, "COLUMNS": None, **options.pop("env", {})}
    return CliRunner().invoke(app, list(line), env=environment, **options)


# Every command, whoever has added it


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_help_with_an_example_that_parses(name: str) -> None:
    command = COMMANDS[name]
    line = re.split(r"\s[>|]\s", example(command))[0]
    assert line.startswith(f"{name} ") or line == name
    words = shlex.split(line)[len(name.split()) :]
    command.make_context(name, words)
    shown = run(*name.split()[1:], "--help")
    assert shown.exit_code == 0
    assert "Example:" in shown.output


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {ALWAYS_JSON, A_STORY}))
def test_a_command_prints_json_if_it_is_asked_to(name: str) -> None:
    options = {option for each in COMMANDS[name].params for option in each.opts}
    assert "--json" in options


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_command_line_exits_2(name: str) -> None:
    assert run(*name.split()[1:], "--no-such-option").exit_code == 2


def test_the_reference_is_current() -> None:
    kept = (ROOT / "docs" / "cli.md").read_text()
    assert kept == reference(), "run 'make reference'"


def test_the_version() -> None:
    shown = run("--version")
    assert (shown.exit_code, shown.output) == (0, "tuneops 0.1.0\n")


def test_what_none_expected_is_one_line_unless_all_is_wanted(tmp_path: Path) -> None:
    """Here a folder where a file should be, and a secret in its name."""
    state = tmp_path / "token=abcdefghijklmnop"
    state.mkdir()
    (state / "connection.json").write_text('{"functions": {}}')
    line = ("status", "--state", str(state))
    shown = run(*line)
    assert shown.exit_code == 1
    assert shown.output == (
        "unexpected error: KeyError: 'base_url'. See more with 'tuneops --debug ...'\n"
    )
    assert isinstance(run("--debug", *line).exception, KeyError)


# Reading a project


def planned(number: int, **changes: Any) -> Release:
    """A release with a plan, that began so many hours after the first."""
    plan = TrainingPlan(base_model="m", component="c", parameters={}, digest="0123456789ab")
    made = release().replace(number=number, training=plan, **changes)
    entry = made.history[0].replace(at=NOW + timedelta(hours=number))
    return made.replace(history=(entry,))


def put(store: Store, made: Release) -> None:
    """Store a release, whatever is there."""
    store.update(documents.release(made.project, made.number), Release, lambda _: made)


LOSS = {"loss": (Point(step=1, value=2.5), Point(step=10, value=1.25), Point(step=20, value=1.0))}
LOGGED = Metrics(values={"eval_loss": 1.5, "loss": 1.0}, curves=LOSS, not_finite=("grad_norm",))


@pytest.fixture
def bot(services: Services) -> Iterator[tuple[Services, str]]:
    """The project bot with 12 releases, the 11th live, the newest failed; where it is served."""
    store = services.store
    store.update(documents.desired("bot"), Desired, lambda _: desired())
    known = Project(name="bot", current=12, live=11)
    store.update(documents.project("bot"), Project, lambda _: known)
    for number in range(1, 11):
        put(store, come_to(planned(number), Phase.SUPERSEDED, NOW, "another one"))
    put(store, come_to(planned(11, metrics=LOGGED), Phase.LIVE, NOW, "it has all traffic"))
    failed = planned(12, metrics=LOGGED.replace(values={"eval_loss": 3.0}))
    put(store, come_to(failed, Phase.FAILED, NOW, "\x1b[31mworse\x1b[0m [bold]than[/bold] before"))
    with served(services) as (url, _):
        yield services, url


def test_releases_are_listed_page_by_page(bot: tuple[Services, str]) -> None:
    services, url = bot
    services.blobs.get_blob_client(
        services.settings.state_container, documents.release("bot", 7)
    ).upload_blob(b'{"number": "x"}', overwrite=True)
    seen = json.loads(run("releases", "bot", "--limit=500", "--json", url=url).stdout)
    assert [each["number"] for each in seen["releases"]] == list(range(12, 0, -1))
    assert [each["number"] for each in seen["releases"] if each["live"]] == [11]
    assert [each["number"] for each in seen["releases"] if each["unreadable"]] == [7]
    shown = run("releases", "bot", "--limit=2", url=url)
    first, second = shown.stdout.splitlines()[1:]
    assert re.fullmatch(r"12 +2026-01-01 .* Failed .* worse \[bold\]than\[/bold\] before\s*", first)
    assert re.match(r"11 \* .* Live .* eval_loss 1.5, loss 1 ", second)


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (80, "Release Began Phase Commit Why"),
        (100, "Release Began Phase To Live Commit Why"),
        (120, "Release Began Phase To Live Cost Commit Why"),
        (200, "Release Began Phase To Live Cost Commit Data Metrics Why"),
    ],
)
def test_releases_fit_the_terminal(columns: int, names: str) -> None:
    line = ReleaseLine(
        number=12,
        live=True,
        phase="Superseded",
        reason="this and that " * 40,
        commit="0123456789",
        source="bot/2026-11.jsonl",
        began=NOW,
        live_seconds=9000,
        metrics={"eval_loss": 1.5, "train_loss": 1.25},
        cost=15.25,
        currency="EUR",
    )
    out = Console(width=columns, record=True, file=StringIO())
    out.print(render([line], columns))
    head, first, *more = out.export_text().splitlines()
    assert " ".join(head.split()) == names
    assert re.match(r"12 \* +20..-..-.. ..:.. +Superseded .*01234567 .* *this", first)
    assert max(map(len, (first, *more))) <= columns
    assert columns == 200 or len(more) < 6


def test_what_a_pipe_gets_has_neither_colours_nor_broken_lines(bot: tuple[Services, str]) -> None:
    _, url = bot
    for line in (["releases", "bot"], ["show", "bot"], ["metrics", "bot"], ["status", "bot"]):
        shown = run(*line, url=url)
        assert shown.exit_code == 0, shown.output
        assert "\x1b" not in shown.stdout
        assert "worse" not in shown.stdout or "[bold]than[/bold] before" in shown.stdout


def test_a_release_is_shown_with_its_curves(bot: tuple[Services, str]) -> None:
    _, url = bot
    shown = run("show", "bot", url=url).stdout
    assert re.search(r"release +12 of bot *\n", shown)
    assert re.search(r"Input +Value +Decided by", shown)
    assert json.loads(run("show", "bot", "11", "--json", url=url).stdout)["number"] == 11
    drawn = run("metrics", "bot", "11", url=url, env={"COLUMNS": "100"}).stdout
    assert "▚ loss" in drawn
    assert max(map(len, drawn.splitlines())) == 100
    assert re.search(r"grad_norm +was not finite", drawn)
    points = json.loads(run("metrics", "bot", "11", "--json", url=url).stdout)
    assert points["curves"] == [
        {"name": "loss", "unit": "", "points": [[1, 2.5], [10, 1.25], [20, 1.0]]}
    ]
    assert not points["live"]
    assert (
        "there is no curve of bleu; there is loss"
        in run("metrics", "bot", "11", "--only=bleu", url=url).output
    )


def test_releases_are_set_side_by_side(bot: tuple[Services, str]) -> None:
    services, url = bot
    changed = planned(12).config.model_copy(update={"suspend": True})
    other = desired("training: {parameters: {num_train_epochs: 7}}\n").config
    assert other is not None
    put(services.store, planned(12, config=other, metrics=LOGGED.replace(values={"eval_loss": 3})))
    seen = json.loads(run("compare", "bot", "11", "12", "--json", url=url).stdout)
    assert seen["same_model"] is True
    (differs,) = seen["parameters"]
    assert differs == {
        "field": "training.parameters.num_train_epochs",
        "before": "",
        "after": "7",
    }
    assert seen["data"] == []
    assert seen["metrics"][0] == {
        "name": "eval_loss",
        "a": 1.5,
        "b": 3.0,
        "change_percent": 100.0,
    }
    assert "+100.0 %" in run("compare", "bot", "11", "12", url=url).stdout
    put(services.store, planned(12, config=changed))
    same = run("compare", "bot", "11", "12", url=url)
    assert (same.exit_code, "Parameters and data are equal." in same.stdout) == (0, True)


REFUSALS = (
    ("projects/none/releases", 404, "there is no project 'none'"),
    ("projects/..%2Fbot/releases", 404, "there is no project '../bot'"),
    ("projects/bot/releases?limit=0", 400, "limit: is a whole number from 1"),
    ("projects/bot/releases?before=x", 400, "before: is a whole number from 1"),
    ("projects/bot/releases/46", 404, "project bot has no release 46; the newest is 12"),
    ("projects/bot/releases/0", 404, "'0' is no release"),
    ("projects/bot/releases/latest/logs?of=x", 400, "of: is one of job, data, deployment"),
    ("projects/bot/releases/latest/logs?of=data", 404, "has no data: its data needed none"),
    ("projects/bot/releases/latest/logs?after=x", 400, "after: is none"),
)


def test_what_can_not_be_read_says_why(bot: tuple[Services, str]) -> None:
    _, url = bot
    for path, status, said in REFUSALS:
        answer = httpx2.get(f"{url}/api/{path}")
        assert (answer.status_code, said in answer.json()["text"]) == (status, True), answer.text
    refused = run("show", "none", url=url)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == "there is no project 'none'; 'tuneops status' shows all\n"


def test_the_shell_completes_projects_where_it_can(bot: tuple[Services, str]) -> None:
    _, url = bot
    asked = {"_TUNEOPS_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "tuneops show b"}
    assert "bot" in run(url=url, env=asked, prog_name="tuneops").output
    nobody = run(url="http://127.0.0.1:9", env=asked, prog_name="tuneops")
    assert "bot" not in nobody.output
    assert "Traceback" not in nobody.output


# Following a log


def following(url: str, *more: str) -> "subprocess.Popen[str]":
    """A process that follows the log of the newest release's job."""
    return subprocess.Popen(
        [PROGRAM, "logs", "bot", "--follow", *more],
        env={**os.environ, "TUNEOPS_URL": url, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Who runs the tests in the background has them ignore the interrupt.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_following_ends_with_the_interrupt(bot: tuple[Services, str]) -> None:
    services, _ = bot
    put(services.store, planned(12).replace(training=None))
    with served(services) as (url, answered):
        seen = following(url)
        until(lambda: bool(answered))
        seen.send_signal(signal.SIGINT)
        assert (seen.wait(10), seen.communicate()) == (130, ("", ""))


def test_a_lost_connection_is_said_and_made_anew(bot: tuple[Services, str]) -> None:
    services, _ = bot
    put(services.store, planned(12).replace(training=None))
    assert run("logs", "bot", "--follow", url="http://127.0.0.1:9").exit_code == 1
    with served(services) as (url, answered):
        seen = following(url)
        until(lambda: bool(answered))
    assert seen.stderr is not None
    assert "does not answer (ConnectError); asking again in 1 s]" in seen.stderr.readline()
    with served(services, int(url.rpartition(":")[2])):
        assert seen.stderr.readline() == "[it answers again]\n"
        ended = come_to(planned(12).replace(training=None), Phase.FAILED, NOW, "no data")
        put(services.store, ended)
        assert seen.wait(20) == 1
    said = "release 12 of bot has no job: it is Failed\n"
    assert seen.communicate() == ("", said)


# Pictures and foreign text


@pytest.mark.parametrize(("width", "wide"), [(60, 60), (200, 200), (10_000, 80)])
def test_curves_differ_by_more_than_their_colours(width: int, wide: int) -> None:
    falling = Curve(name="loss", points=((0, 3.0), (50, 1.0), (100, 0.5)))
    rising = Curve(name="eval_loss", unit="nats", points=((0, 0.5), (100, 3.0)))
    drawn = chart((falling, rising), width, coloured=False)
    title, *lines = drawn.splitlines()
    assert title.strip() == "▚ loss   x eval_loss (nats)"
    assert {len(line) for line in drawn.splitlines()} == {wide}
    assert re.search(r"\b0 .* 20 .* 100\b", lines[-2])
    assert "xx" in drawn
    assert "\x1b" in chart((falling,), width, coloured=True)


def test_seven_losses_are_two_pictures_and_others_have_their_own() -> None:
    names = ["accuracy", *(f"loss_{letter}" for letter in "abcdefg")]
    found = groups(tuple(Curve(name=name, points=((0, 1), (1, 2))) for name in names))
    assert [len(together) for together in found] == [5, 2, 1]


@pytest.mark.parametrize(
    ("names", "only", "drawn"),
    [
        (["accuracy", "eval_loss", "loss"], None, ["eval_loss", "loss"]),
        (["accuracy"], None, ["accuracy"]),
        (["accuracy"], ["accuracy"], ["accuracy"]),
    ],
)
def test_losses_are_drawn_unless_something_else_is_named(
    names: list[str], only: list[str] | None, drawn: list[str]
) -> None:
    curves = tuple(Curve(name=name, points=((0, 1), (1, 2))) for name in names)
    assert [curve.name for curve in chosen(curves, only)] == drawn


def test_foreign_text_does_not_steer_the_terminal() -> None:
    assert plain("\x1b[2J\x1b[31mred\x1b[0m\x07\n\ttab\x9b") == "red\n\ttab"
