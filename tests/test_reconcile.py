"""The loop around decision and effect: what holds it up is remembered, and told in time."""

import re
from datetime import UTC, datetime, timedelta
from io import StringIO

from rich.console import Console

from tests.config_text import config_of
from tests.planned import come_to
from tuneops import documents
from tuneops.actions import Wait
from tuneops.cli.status import render
from tuneops.cost.room import Room, await_room
from tuneops.desired import Desired, Source
from tuneops.evaluation.gate import verdict
from tuneops.patience import wait
from tuneops.project import Project, start_release
from tuneops.queue import ProjectRequest
from tuneops.reconcile import reconcile_project
from tuneops.release import Metrics, Phase
from tuneops.services import Services
from tuneops.status import read_status

NOW = datetime(2026, 1, 1, tzinfo=UTC)
QUEUED = Wait("job bot-1 is Queued", patience=timedelta(hours=1))
DESIRED = Desired(project="bot", commit="c" * 40, path="finetune/bot.yaml", config=config_of("bot"))


def test_a_long_wait_is_told_once() -> None:
    source = Source(name="bot/a.jsonl", version="1", size=1)
    release = start_release(DESIRED.replace(source=source), Project(name="bot"), "/w", NOW)
    for minutes in (0, 59, 61, 90):
        release = wait(release, QUEUED, NOW + timedelta(minutes=minutes))
    (told,) = release.outbox
    assert told.event == "held"
    assert told.text == "job bot-1 is Queued since 2026-01-01 00:00 UTC"
    assert told.title == "bot: release 1 is held up"

    release = wait(release, Wait("job bot-1 is Running"), NOW + timedelta(hours=2))
    assert release.waiting is not None
    assert release.waiting.since == NOW + timedelta(hours=2)
    release = wait(release, Wait("job bot-1 is Running"), NOW + timedelta(hours=90))
    assert len(release.outbox) == 1


def test_a_wait_whose_figures_change_is_told_once_as_well() -> None:
    source = Source(name="bot/a.jsonl", version="1", size=1)
    release = start_release(DESIRED.replace(source=source), Project(name="bot"), "/w", NOW)
    for minutes in range(60):
        waits = await_room(Room(lack=f"{minutes} EUR run"))
        assert isinstance(waits, Wait)
        release = wait(release, waits, NOW + timedelta(minutes=minutes))
    (told,) = release.outbox
    assert told.text == "5 EUR run since 2026-01-01 00:00 UTC"
    assert release.waiting is not None
    assert release.waiting.reason == "59 EUR run"


def test_a_project_that_can_not_be_read_hides_no_other(services: Services) -> None:
    for name in ("bot", "other"):
        services.store.write(documents.desired(name), DESIRED.replace(project=name), etag=None)
    container = services.blobs.get_container_client(services.settings.state_container)
    container.upload_blob(documents.project("bot"), b'{"name": 1}')
    bot, other = read_status(services).projects
    assert (bot.name, bot.phase) == ("bot", "Unreadable")
    assert "projects/bot.json, name: Input should be a valid string; put back" in bot.reason
    assert (other.name, other.phase) == ("other", "Waiting for data")


def test_a_project_whose_data_can_not_be_looked_at_says_so_until_it_can(services: Services) -> None:
    services.store.write(documents.desired("bot"), DESIRED, etag=None)
    container = services.blobs.get_container_client(services.settings.datasets_container)
    container.delete_container()
    reconcile_project(ProjectRequest(project="bot"), services)
    (project,) = read_status(services).projects
    assert project.reason == f"container {container.container_name} does not exist; create it"

    other = f"{container.container_name}-new"
    services.blobs.create_container(other)
    mended = Services(services.settings.model_copy(update={"datasets_container": other}))
    reconcile_project(ProjectRequest(project="bot"), mended)
    (project,) = read_status(services).projects
    assert project.reason == "no data in bot/ yet"


def test_a_model_is_not_weighed_while_the_live_one_can_not_be_read(services: Services) -> None:
    source = Source(name="bot/a.jsonl", version="1", size=1)
    desired = DESIRED.replace(source=source)
    release = start_release(desired, Project(name="bot", current=1), "/w", NOW)
    release = release.replace(metrics=Metrics(values={"eval_loss": 1.0}))
    release = come_to(release, Phase.EVALUATING, NOW, "job bot-1 completed")
    project = Project(name="bot", current=2, live=1)
    services.store.write(documents.desired("bot"), desired, etag=None)
    services.store.write(documents.release("bot", 2), release, etag=None)
    services.store.write(documents.project("bot"), project, etag=None)
    reconcile_project(ProjectRequest(project="bot"), services)
    (seen,) = read_status(services).projects
    assert (seen.phase, seen.reason) == ("Evaluating", "the record of live release 1 has gone")


def test_the_status_shows_what_the_checks_found(services: Services) -> None:
    source = Source(name="bot/a.jsonl", version="1", size=1)
    release = start_release(DESIRED.replace(source=source), Project(name="bot"), "/w", NOW)
    release = release.replace(metrics=Metrics(values={"eval_loss": 1.0}))
    release = release.replace(checks=verdict(release, None))
    services.store.write(documents.desired("bot"), DESIRED, etag=None)
    services.store.write(documents.release("bot", 1), release, etag=None)
    services.store.write(documents.project("bot"), Project(name="bot", current=1), etag=None)
    console = Console(width=200, record=True, file=StringIO())
    console.print(render(read_status(services), detailed=True))
    shown = console.export_text()
    assert re.search(r"divergence +passed +all losses are numbers", shown)
    assert re.search(r"divergence\.max_rise_percent +not applicable +0 training losses", shown)
