"""The document that tells of all projects: what a card says, and that none is lost."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.config_text import config_of
from tests.planned import come_to, release
from tuneops import documents
from tuneops.desired import Desired
from tuneops.difference import Answer, Difference, Drift, Part
from tuneops.estimates import Forecast, Span
from tuneops.evaluation.checks import judged
from tuneops.gitops.repository import FileState, Refusal, Repository
from tuneops.notify.health import ChannelHealth
from tuneops.orders import Pin
from tuneops.overview.card import cut
from tuneops.overview.document import Card, Cards, Figure, Level, Overview, Share
from tuneops.overview.keeping import (
    MAX_ERRORS,
    fill,
    keep_card,
    keep_channels,
    keep_source,
    make_card,
    put_card,
)
from tuneops.overview.reading import read_overview
from tuneops.policy import InForce, Policy
from tuneops.previews.terms import Terms
from tuneops.prices import Prices
from tuneops.project import Project
from tuneops.queue import ProjectRequest
from tuneops.reconcile import reconcile_project
from tuneops.release import Metrics, Phase, Release, TrainingPlan, Trouble, Waiting
from tuneops.rollout.progress import Progress
from tuneops.rollout.question import Question
from tuneops.services import Services
from tuneops.store import Store
from tuneops.training_progress import TrainingProgress

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EXTRA = "deployment: {instance_type: Standard_DS3_v2, instance_count: 2}\n"
CANARY = f"{EXTRA}rollout: {{strategy: canary}}\n"
PLAN = TrainingPlan(base_model="b", component="c", parameters={}, digest="0" * 12)
PRICES = Prices(per_hour={"Standard_DS3_v2": 0.5}, currency="EUR")
WANTED = Desired(project="bot", commit="c" * 40, path="finetune/bot.yaml", config=config_of("bot"))


def made(number: int, phase: Phase, extra: str = EXTRA, **more: Any) -> Release:
    """A release that has come to this phase in its hour."""
    planned = release(extra).replace(number=number, training=PLAN)
    return come_to(planned, phase, NOW + timedelta(hours=number), "so it came").replace(**more)


def stored(
    services: Services, *releases: Release, live: int | None = None, **project: Any
) -> Services:
    """The services with the documents of a project, whose newest release is the last one."""
    store = services.store
    store.write(documents.desired("bot"), project.pop("wanted", WANTED), None)
    for each in releases:
        store.write(documents.release("bot", each.number), each, None)
    current = releases[-1].number if releases else None
    store.write(
        documents.project("bot"), Project(name="bot", current=current, live=live, **project), None
    )
    store.write(documents.policy(""), InForce(policy=Policy(prices=PRICES)), None)
    return services


def card_of(services: Services, *releases: Release, **project: Any) -> Card:
    """The card of that project."""
    made = make_card("bot", stored(services, *releases, **project), PRICES)
    assert made is not None
    return made


BEFORE = judged(
    "max_regression_percent", "eval_loss", good=True, text="fine", new=1.5, live=1.6, bound=2.0
)
LIVE = made(
    1,
    Phase.LIVE,
    metrics=Metrics(values={"eval_loss": 1.5, "accuracy": 0.8, "steps": 10}),
    checks=(BEFORE,),
)


def test_what_is_live_is_held_against_what_was_before(services: Services) -> None:
    found = card_of(services, LIVE, live=1)
    assert found.live is not None
    assert found.live.model == f"bot:{LIVE.model_version}"
    assert found.live.figures == (
        Figure(name="eval_loss", value=1.5, before=1.6, better=True),
        Figure(name="accuracy", value=0.8),
        Figure(name="steps", value=10),
    )
    assert found.live.instances == "2 x Standard_DS3_v2"
    assert found.figures == ()
    assert found.traffic == (Share(release=1, percent=100),)
    assert (found.hourly, found.currency, found.level) == (1.0, "EUR", "good")
    assert (found.phase, found.since, found.releases) == ("Live", NOW + timedelta(hours=1), 1)
    assert (found.commit, found.data) == ("0" * 40, "bot/a.jsonl")


def test_what_comes_is_held_against_what_is_live(services: Services) -> None:
    comes = made(
        2,
        Phase.SHIFTING,
        CANARY,
        metrics=Metrics(values={"eval_loss": 1.2, "accuracy": 0.7, "steps": 20}),
        rollout=Progress(step=1, since=NOW),
    )
    found = card_of(services, LIVE, comes, live=1)
    assert found.figures == (
        Figure(name="eval_loss", value=1.2, before=1.5, better=True),
        Figure(name="accuracy", value=0.7, before=0.8, better=False),
        Figure(name="steps", value=20, before=10),
    )
    assert found.traffic == (Share(release=1, percent=75), Share(release=2, percent=25))
    assert found.hourly == 2.0
    assert found.live is not None
    assert (found.live.release, found.release, found.level) == (1, 2, "busy")


@pytest.mark.parametrize(
    ("progress", "percent"),
    [
        pytest.param(None, 0, id="not-begun"),
        pytest.param(Progress(step=0, shifts=1), 0, id="the-first-step-is-being-set"),
        pytest.param(Progress(step=0, since=NOW), 5, id="in-place"),
        pytest.param(Progress(step=2, shifts=1), 25, id="the-third-step-is-being-set"),
        pytest.param(Progress(step=3), 50, id="all-is-being-set"),
        pytest.param(Progress(step=2, since=NOW, aborted="worse"), 0, id="given-up"),
    ],
)
def test_the_traffic_is_what_was_seen_in_place(
    services: Services, progress: Progress | None, percent: int
) -> None:
    comes = made(2, Phase.SHIFTING, CANARY, rollout=progress)
    traffic = card_of(services, LIVE, comes, live=1).traffic
    assert {share.release: share.percent for share in traffic}.get(2, 0) == percent
    assert sum(share.percent for share in traffic) == 100


def test_a_training_says_how_far_it_is_and_when_it_is_likely_to_end(services: Services) -> None:
    seconds = Span(low=1800, likely=3600, high=7200)
    training = made(1, Phase.TRAINING, forecast=Forecast(seconds=seconds))
    found = card_of(services, training)
    assert (found.done, found.ends) == (None, NOW + timedelta(hours=2))
    assert (found.live, found.hourly, found.traffic) == (None, None, ())

    ends = NOW + timedelta(hours=1, minutes=20)
    going = TrainingProgress(step=123, steps=1000, ends_at=ends + timedelta(seconds=42))
    services.store.update(
        documents.release("bot", 1), Release, lambda _: training.replace(progress=going)
    )
    again = make_card("bot", services, PRICES)
    assert again is not None
    assert (again.done, again.ends) == (0.12, ends)


DRIFT = Drift(
    differences=(Difference(part=Part.TRAFFIC, what="traffic", found="gone"),),
    answer=Answer.REPORTED,
    since=NOW,
    noted_at=NOW,
)
TROUBLE = Trouble(message="Azure says no", since=NOW, count=9, told=True)
STALLED = Waiting(reason="the job is queued", since=NOW, told=True)
PIN = Pin(id="p", release=1, by="ada", at=NOW, reason="night")
SUSPENDED = WANTED.replace(config=config_of("bot", "suspend: true\n"))


@pytest.mark.parametrize(
    ("releases", "project", "level", "reason"),
    [
        pytest.param([], {}, "quiet", "no data in bot/ yet", id="no-data"),
        pytest.param([made(1, Phase.FAILED)], {}, "bad", "so it came", id="failed"),
        pytest.param([made(1, Phase.TRAINING)], {}, "busy", "so it came", id="under-way"),
        pytest.param(
            [made(1, Phase.TRAINING, trouble=TROUBLE)], {}, "bad", "Azure says no", id="trouble"
        ),
        pytest.param(
            [made(1, Phase.TRAINING, trouble=TROUBLE.replace(told=False))],
            {},
            "busy",
            "Azure says no",
            id="trouble-of-a-moment",
        ),
        pytest.param(
            [made(1, Phase.TRAINING, waiting=STALLED)], {}, "warn", "job is queued", id="stalled"
        ),
        pytest.param(
            [made(1, Phase.SHIFTING, approval=Question(share=5, asked=NOW))],
            {},
            "warn",
            "so it came",
            id="asks",
        ),
        pytest.param(
            [LIVE.replace(drift=DRIFT)], {"live": 1}, "warn", "traffic is gone", id="drifted"
        ),
        pytest.param([LIVE], {"live": 1, "pin": PIN}, "warn", "pinned", id="pinned"),
        pytest.param(
            [LIVE.replace(trouble=TROUBLE), made(2, Phase.TRAINING)],
            {"live": 1},
            "bad",
            "so it came",
            id="the-live-one-is-in-trouble",
        ),
        pytest.param(
            [LIVE], {"live": 1, "wanted": SUSPENDED}, "quiet", "suspended by", id="suspended"
        ),
        pytest.param(
            [made(1, Phase.RETIRED)], {"live": 1}, "quiet", "so it came", id="retired"
        ),
    ],
)  # fmt: skip
def test_what_needs_people_says_so(
    services: Services, releases: list[Release], project: dict[str, Any], level: Level, reason: str
) -> None:
    held_back = {"held_back": str(project["pin"])} if "pin" in project else {}
    found = card_of(services, *releases, **project, **held_back)
    assert found.level == level
    assert reason in found.reason


def test_a_preview_says_of_which_pull_request_it_is(services: Services) -> None:
    wanted = WANTED.replace(preview=Terms(number=7, until=NOW))
    found = card_of(services, made(1, Phase.TRAINING), wanted=wanted)
    assert (found.preview, found.preview_until) == (7, NOW)


def test_a_card_is_small_whatever_it_tells(services: Services) -> None:
    many = {f"metric_{'x' * 200}_{n}": float(n) for n in range(500)}
    hostile = made(1, Phase.FAILED, metrics=Metrics(values=many))
    hostile = hostile.advance(Phase.FAILED, NOW, "<script>" + "y" * 100_000)
    assert len(card_of(services, hostile).model_dump_json()) < 1500


def test_a_card_holds_no_secret() -> None:
    said = "could not read https://a.example/x?sig=abcdefgh12345678"
    assert cut(said) == "could not read https://a.example/x?sig=[hidden]"
    assert cut(said, 50) == cut(said)


def test_fifty_projects_that_change_at_once_lose_no_card(services: Services) -> None:
    names = [f"p-{number:02}" for number in range(50)]
    for name in names:
        services.store.write(documents.desired(name), WANTED.replace(project=name), None)
    others = [Services(services.settings) for _ in range(5)]
    with ThreadPoolExecutor(50) as pool:
        asked = [(name, others[place % 5]) for place, name in enumerate(names)]
        assert all(pool.map(lambda pair: keep_card(*pair), asked))
    overview = cards(services.store)
    assert sorted(overview) == names


def cards(store: Store) -> dict[str, Card]:
    """The cards that are stored."""
    stored = read_overview(store)
    return stored.value.cards if stored else {}


def test_writers_of_other_processes_lose_no_card_either(services: Services) -> None:
    """What one process does by turns, others do by comparing and swapping alone."""
    stores = [Store(services.blobs, services.settings.state_container) for _ in range(10)]
    path = documents.cards("bot")

    def write(place: int) -> None:
        card = Card(name=f"p-{place}", phase="Live")
        stores[place].update(
            path, Cards, lambda known: (known or Cards()).with_card(card.name, card)
        )

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(write, range(10)))
    assert len(cards(services.store)) == 10


def test_what_is_as_before_is_not_written_again(services: Services) -> None:
    stored(services, LIVE, live=1)
    assert keep_card("bot", services)
    first = read_overview(services.store)
    assert keep_card("bot", services)
    again = read_overview(services.store)
    assert first is not None
    assert again is not None
    assert (first.etag, "bot" in first.value.cards) == (again.etag, True)


def test_a_look_writes_the_card_and_a_pruned_project_loses_it(services: Services) -> None:
    services.store.write(documents.desired("bot"), WANTED, None)
    reconcile_project(ProjectRequest(project="bot"), services)
    assert cards(services.store)["bot"].phase == "Waiting for data"

    services.store.delete(documents.desired("bot"))
    services.store.delete(documents.project("bot"))
    reconcile_project(ProjectRequest(project="bot"), services)
    assert cards(services.store) == {}


def test_a_card_that_can_not_be_written_holds_nothing_up(services: Services) -> None:
    services.store.write(documents.desired("bot"), WANTED, None)
    path = documents.cards("bot")
    blob = services.blobs.get_blob_client(services.settings.state_container, path)
    blob.upload_blob(b"{}")
    lease = blob.acquire_lease()
    assert not keep_card("bot", services)
    lease.release()
    assert keep_card("bot", services)
    services.blobs.delete_container(services.settings.state_container)
    assert not keep_card("bot", services)


@pytest.mark.parametrize("left", [None, b"no JSON", b'{"cards": {"bot": {"phase": 7}}}'])
def test_an_overview_that_has_gone_is_put_together_anew(
    services: Services, left: bytes | None
) -> None:
    stored(services, LIVE, live=1)
    services.store.write(documents.desired("new"), WANTED.replace(project="new"), None)
    container = services.blobs.get_container_client(services.settings.state_container)
    if left is not None:
        container.upload_blob(documents.OVERVIEW, left)
    assert keep_card("new", services)
    begun = read_overview(services.store)
    assert begun is not None
    assert (sorted(begun.value.cards), begun.value.complete) == (["new"], False)

    fill(services, lambda: {"bot", "new"})
    whole = read_overview(services.store)
    assert whole is not None
    assert (sorted(whole.value.cards), whole.value.complete) == (["bot", "new"], True)
    fill(services, lambda: {"bot", "new"})
    assert read_overview(services.store) == whole


def test_filling_keeps_what_was_written_meanwhile_and_drops_what_has_gone(
    services: Services,
) -> None:
    stored(services, LIVE, live=1)
    gone = Cards(cards={"gone": Card(name="gone", phase="Live")})
    services.store.write(documents.cards("gone"), gone, None)

    def meanwhile() -> set[str]:
        services.store.write(documents.desired("late"), WANTED.replace(project="late"), None)
        assert keep_card("late", services)
        return {"bot"}

    fill(services, meanwhile)
    assert sorted(cards(services.store)) == ["bot", "late"]


def test_the_cards_of_an_earlier_version_are_shown_until_they_are_made_anew(
    services: Services,
) -> None:
    stored(services, LIVE, live=1)
    earlier = {name: Card(name=name, phase="Training") for name in ("bot", "gone")}
    services.store.write(documents.OVERVIEW, Overview(cards=earlier, complete=True), None)
    assert cards(services.store) == earlier
    fill(services, lambda: {"bot"})
    assert {name: each.phase for name, each in cards(services.store).items()} == {"bot": "Live"}
    frame = services.store.read(documents.OVERVIEW, Overview)
    assert frame is not None
    assert (frame.value.cards, frame.value.complete) == ({}, True)


def test_what_hosts_of_an_earlier_version_write_meanwhile_leads_to_a_new_card(
    services: Services,
) -> None:
    """They know nothing of the parts, and what they have looked at nobody looks at again soon."""
    stored(services, LIVE, live=1)
    services.store.write(documents.desired("late"), WANTED.replace(project="late"), None)
    for name in ("bot", "late"):
        put_card(services.store, name, Card(name=name, phase="Training"))
    earlier = {name: Card(name=name, phase="Evaluating") for name in ("bot", "late")}
    services.store.write(documents.OVERVIEW, Overview(cards=earlier, complete=True), None)
    newer = Card(name="bot", phase="Shifting")

    def meanwhile() -> set[str]:
        put_card(services.store, "late", Card(name="late", phase="Failed"))
        services.store.update(
            documents.OVERVIEW,
            Overview,
            lambda known: Overview(cards={**(known or Overview()).cards, "bot": newer}),
        )
        return {"bot", "late"}

    fill(services, meanwhile)
    shown = {name: each.phase for name, each in cards(services.store).items()}
    assert shown == {"bot": "Live", "late": "Failed"}
    frame = services.store.read(documents.OVERVIEW, Overview)
    assert frame is not None
    assert frame.value.cards == {"bot": newer}


def test_an_overview_of_a_later_version_is_left_to_it_and_holds_nothing_up(
    services: Services,
) -> None:
    stored(services, LIVE, live=1)
    later = b'{"schema_version":99}'
    for path in (documents.OVERVIEW, documents.cards("bot")):
        services.state.upload_blob(path, later)
    fill(services, lambda: {"bot"})
    keep_source(services, Repository(commit="c"))
    keep_channels(services.store, ())
    assert not keep_card("bot", services)
    for path in (documents.OVERVIEW, documents.cards("bot")):
        assert services.state.download_blob(path).readall() == later


def test_the_cards_are_in_parts_of_which_only_those_that_changed_are_read_again(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"p-{number}" for number in range(100)]
    for name in names:
        put_card(services.store, name, Card(name=name, phase="Live"))
    paths = {documents.cards(name) for name in names}
    assert set(services.store.paths(documents.CARDS)) == paths
    assert len(paths) == 16

    def read() -> list[str]:
        caplog.clear()
        with caplog.at_level("INFO", logger="azure.core.pipeline.policies.http_logging_policy"):
            assert sorted(cards(services.store)) == sorted(names)
        return [each.message for each in caplog.records if "Request method" in each.message]

    assert len(read()) == 2 + 16
    assert len(read()) == 2
    put_card(services.store, "p-7", Card(name="p-7", phase="Failed"))
    asked = read()
    assert len(asked) == 3
    assert documents.cards("p-7") in asked[-1]


def test_a_part_that_can_not_be_read_is_made_anew(services: Services) -> None:
    stored(services, LIVE, live=1)
    fill(services, lambda: {"bot"})
    container = services.blobs.get_container_client(services.settings.state_container)
    container.upload_blob(documents.cards("bot"), b"{", overwrite=True)
    assert cards(services.store) == {}
    fill(services, lambda: {"bot"})
    assert list(cards(services.store)) == ["bot"]


def test_sources_and_channels_are_told_of(services: Services) -> None:
    state = FileState(sha="s", project="bot", errors=("line 3: <b>",))
    refusal = Refusal(sha="s", by="eve", project="bot", why="eve may not change it")
    many = {f"{n}.yaml": FileState(sha="s", errors=("wrong",)) for n in range(60)}
    read = Repository(commit="c", files={"bot.yaml": state}, refused={"bot.yaml": refusal})
    keep_source(services, read)
    found = read_overview(services.store)
    assert found is not None
    source = found.value.sources[""]
    assert source.errors == ("line 3: <b>", "bot.yaml: eve may not change it")
    assert source.refused == {"bot": "eve may not change it"}

    keep_source(services, read.replace(files=many))
    failing = ChannelHealth(
        id="teams",
        name="Teams",
        environment="",
        failing_since=NOW,
        error="status 500",
        last_success=None,
        next_try=None,
        waiting=3,
        given_up=0,
    )
    keep_channels(services.store, [failing])
    found = read_overview(services.store)
    assert found is not None
    assert len(found.value.sources[""].errors) == MAX_ERRORS + 1
    assert found.value.sources[""].errors[-1] == "and 11 more errors"
    assert [(each.name, each.waiting) for each in found.value.channels] == [("Teams", 3)]
