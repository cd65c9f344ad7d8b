"""What machines cost, the limit on new deployments, its reservations, and the summary's words."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from io import StringIO
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tests.config_text import config_of
from tests.planned import come_to, desired, release
from tuneops import documents
from tuneops.actions import (
    Advance,
    CreateDeployment,
    CreateEndpoint,
    Fail,
    ReserveCost,
    SetAutoscale,
    Wait,
)
from tuneops.cli.cost import render
from tuneops.cost import ledger, limit, reservation, text
from tuneops.cost.bill import Bill, ClusterCost, DeploymentCost
from tuneops.cost.ledger import Ledger
from tuneops.cost.machines import Deployed, Machines, Nodes, servings, sum_of
from tuneops.cost.projects import Known, role, under_way
from tuneops.cost.room import Room
from tuneops.decide import decide
from tuneops.observed import Deployment, Endpoint, Observed, Scaling
from tuneops.permission import permitted
from tuneops.policy import FILE, Policy, Verdict, verdict, violations
from tuneops.prices import Prices
from tuneops.project import Project
from tuneops.release import Phase, Release, TrainingPlan
from tuneops.services import Services
from tuneops.superseded import Superseded

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
A100 = "Standard_NC24ads_A100_v4"
PRICES = Prices.model_validate(
    {"currency": "EUR", "per_hour": {A100: 4, "Standard_DS3_v2": 0.25}, "low_priority_factor": 0.5}
)
PLAN = TrainingPlan(base_model="m", component="c", parameters={}, digest="0" * 12)


def deployed(project: str, count: int = 1, size: str = A100, share: int = 100) -> Deployed:
    return Deployed(
        size=size,
        count=count,
        endpoint=f"{project}-1a",
        name="d-1",
        project=project,
        share=share,
    )


machines = st.builds(
    Machines,
    size=st.sampled_from((A100, A100.lower(), "Standard_DS3_v2", "Standard_X", "")),
    count=st.integers(0, 5),
    tier=st.sampled_from(("dedicated", "low_priority")),
)


@given(st.lists(machines))
def test_a_sum_leaves_out_nothing_in_silence(found: list[Machines]) -> None:
    total = sum_of(found, PRICES)
    known = {A100.lower(): 4, "standard_ds3_v2": 0.25}
    free = [each for each in found if each.count == 0]
    unknown = [each for each in found if each.count and each.size.lower() not in known]
    assert total.unpriced == tuple(str(each) for each in unknown)
    priced = [each for each in found if each not in (*free, *unknown)]
    factor = {"dedicated": 1.0, "low_priority": 0.5}
    costs = [each.count * known[each.size.lower()] * factor[each.tier] for each in priced]
    assert total.hourly == pytest.approx(sum(costs))
    assert total.monthly == pytest.approx(730 * sum(costs))
    assert sum_of(found, None).unpriced == tuple(str(each) for each in found if each.count)


@pytest.mark.parametrize(
    ("prices", "maximum", "extra", "expected"),
    [
        pytest.param(PRICES, 4.0, "", [], id="just-enough"),
        pytest.param(PRICES, None, "deployment: {instance_count: 9}\n", [], id="no-limit"),
        pytest.param(None, None, "", [], id="neither"),
        pytest.param(
            PRICES,
            7.5,
            "deployment: {instance_count: 2}\n",
            [
                f"deployment: 2 x {A100} cost 8.00 EUR an hour, which is more than max_hourly_cost "
                f"of {FILE}; stay at 7.50 with fewer or other instances"
            ],
            id="too-many",
        ),
        pytest.param(
            PRICES,
            99.0,
            "deployment: {instance_type: Standard_X}\n",
            [
                f"max_hourly_cost of {FILE}: there is no price of Standard_X, which "
                "deployment.instance_type asks for; add that of one instance's hour to "
                "prices.per_hour there"
            ],
            id="no-price-of-the-size",
        ),
    ],
)
def test_what_is_too_dear_alone_is_not_allowed(
    prices: Prices | None, maximum: float | None, extra: str, expected: list[str]
) -> None:
    policy = Policy(prices=prices, max_hourly_cost=maximum)
    assert list(violations(policy, config_of("bot", extra), None, "")) == expected


@pytest.mark.parametrize(
    ("phases", "allowed"),
    [
        pytest.param((Phase.PREPARING,), False, id="new"),
        pytest.param((Phase.DEPLOYING,), False, id="on-its-way"),
        pytest.param((Phase.FAILED,), False, id="kept-from-beginning-again"),
        pytest.param((Phase.LIVE,), True, id="live"),
        pytest.param((Phase.LIVE, Phase.DEPLOYING), True, id="deployed-again"),
    ],
)
def test_what_is_live_is_never_too_dear(phases: tuple[Phase, ...], allowed: bool) -> None:
    made = release()
    for phase in phases:
        made = come_to(made, phase, NOW)
    found = verdict(Policy(prices=PRICES, max_hourly_cost=1), made, "", NOW)
    assert (found.violations == ()) is allowed


@pytest.mark.parametrize(
    ("maximum", "beside", "said"),
    [
        pytest.param(8.0, [deployed("a")], [], id="it-fits-exactly"),
        pytest.param(
            0.3,
            [],
            ["costs 4.00 EUR an hour, what runs or is about to costs 0.00 already,"],
            id="alone",
        ),
        pytest.param(
            7.9,
            [deployed("a")],
            [
                "what runs or is about to costs 4.00 already, and max_hourly_cost of "
                "tuneops-policy.yaml is 7.90; it is created once"
            ],
            id="another-runs",
        ),
        pytest.param(
            11.0,
            [deployed("a"), deployed("bot")],
            ["what runs or is about to costs 8.00 already, 4.00 of it the project's own, and"],
            id="its-own-live-one-runs",
        ),
        pytest.param(
            99.0,
            [deployed("a"), deployed("b", 2, "Standard_X"), deployed("c", size="")],
            [
                "can't be checked, as there is no price of 2 x Standard_X (b-1a/d-1), 1 x a size "
                "that Azure does not say (c-1a/d-1); add"
            ],
            id="others-have-no-price",
        ),
        pytest.param(
            99.0,
            [deployed(name, size="Standard_X") for name in "abcde"],
            ["(c-1a/d-1) and 2 more; add"],
            id="many-have-no-price",
        ),
    ],
)
def test_what_runs_counts(maximum: float, beside: list[Deployed], said: list[str]) -> None:
    found = limit.lack(maximum, PRICES, deployed("bot"), beside, FILE)
    assert bool(found) == bool(said)
    assert all(each in found for each in said), found


def test_prices_that_are_not_exact_fill_the_limit_exactly() -> None:
    prices = Prices.model_validate({"per_hour": {"S": 0.1}})
    beside = [deployed("a", size="S"), deployed("b", size="S")]
    assert 0.1 + 0.1 + 0.1 > 0.3
    assert not limit.lack(0.3, prices, deployed("c", size="S"), beside, FILE)


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        pytest.param(None, CreateDeployment(), id="no-limit"),
        pytest.param(Room(), ReserveCost(), id="it-fits"),
        pytest.param(Room(reserved=True), CreateDeployment(), id="reserved"),
        pytest.param(Room(lack="full"), Wait("full", patience=5 * MINUTE, about="room"), id="full"),
    ],
)
def test_a_deployment_is_created_once_it_has_room(room: Room | None, expected: object) -> None:
    assert permitted(CreateDeployment(), Verdict(room=room), NOW) == expected
    scaled = permitted(SetAutoscale(), Verdict(room=room), NOW)
    assert scaled == (SetAutoscale() if expected == CreateDeployment() else expected)
    assert permitted(CreateEndpoint(), Verdict(room=room), NOW) == CreateEndpoint()
    assert isinstance(permitted(CreateDeployment(), Verdict(("no",), room=room), NOW), Fail)


@pytest.mark.parametrize(
    ("room", "makes_way"),
    [
        (Room(lack="full"), True),
        (Room(lack="who knows", known=False), False),
        (Room(), False),
        (None, False),
    ],
)
def test_nothing_waits_for_what_may_never_have_room(room: Room | None, makes_way: bool) -> None:
    wanted = desired("in_flight: finish\ndeployment: {instance_count: 2}\n")
    waits = come_to(release().replace(training=PLAN), Phase.DEPLOYING, NOW, "")
    action = decide(wanted, waits, Observed(verdict=Verdict(room=room)), NOW)
    assert (isinstance(action, Advance) and action.phase == Phase.SUPERSEDED) is makes_way


def test_a_reservation_holds_until_what_it_is_for_is_to_be_seen() -> None:
    mine, other = deployed("bot"), deployed("a", 3)
    known = Ledger().reserve(mine, NOW)
    assert known.has(mine, NOW + ledger.FRESH - MINUTE)
    assert not known.has(mine, NOW + ledger.FRESH)
    assert not known.has(deployed("bot", 2), NOW)
    assert known.beside(other, [], [], NOW + ledger.HOLDS - MINUTE) == [mine]
    assert known.beside(other, [], [], NOW + ledger.HOLDS) == []
    assert known.beside(mine, [], [], NOW) == []
    assert list(known.reserve(other, NOW + ledger.HOLDS).reservations) == ["a-1a"]


def test_what_is_seen_counts_once_and_as_it_is() -> None:
    known = Ledger().reserve(deployed("a", 1), NOW)
    grown = deployed("a", 4)
    assert known.beside(deployed("bot"), [grown], [], NOW) == [grown]
    may_grow = Ledger().reserve(deployed("a", 9), NOW)
    assert may_grow.beside(deployed("bot"), [grown], [], NOW) == [deployed("a", 9)]
    listed, known_better = deployed("bot", 2), deployed("bot", 1).replace(name="d-0")
    assert known.beside(deployed("bot"), [listed], [known_better], NOW) == [
        deployed("a", 1),
        known_better,
    ]


@dataclass
class Town:
    """Projects that deploy at the same time, whose listing is up to five minutes late."""

    maximum: int
    now: datetime = NOW
    known: Ledger = field(default_factory=Ledger)
    etag: int = 0
    created: dict[str, tuple[Deployed, datetime]] = field(default_factory=dict)

    def call(self, wanted: Deployed, late: timedelta = MINUTE) -> Iterator[None]:
        """A look at one project, as `reservation` does it; at each yield others have a turn."""
        begun = self.now
        if self.known.has(wanted, begun):
            yield
            self.created.setdefault(wanted.key, (wanted, self.now + late))
            return
        known, etag = self.known, self.etag
        yield
        seen = [each for each, listed in self.created.values() if listed <= self.now]
        yield
        beside = known.beside(wanted, seen, [], begun)
        if not limit.lack(self.maximum, PRICES, wanted, beside, FILE) and self.etag == etag:
            self.known, self.etag = known.reserve(wanted, begun), etag + 1

    def live(self, chance: Random) -> None:
        """A while in which anybody may have a turn, die, or take down what is deployed.

        A call that lasts longer than ten minutes is ended, as the host does.
        """
        wanted = [deployed(f"p{number}", chance.choice((1, 1, 2))) for number in range(3)]
        calls: dict[str, tuple[Iterator[None], datetime]] = {}
        for _ in range(60):
            self.now += chance.choice((0, 0, 0, 0, 0, 0, 4, 8)) * MINUTE
            each = chance.choice(wanted)
            call, begun = calls.pop(each.key, (None, self.now))
            if call is None or chance.random() < 0.05 or self.now - begun > 10 * MINUTE:
                late = chance.choice((0, 1, 5)) * MINUTE
                call, begun = self.call(each, late), self.now
            if next(call, self) is None:
                calls[each.key] = call, begun
            elif chance.random() < 0.2:
                self.created.pop(each.key, None)
            assert sum(4 * each.count for each, _ in self.created.values()) <= self.maximum


def test_never_do_two_projects_take_the_same_room() -> None:
    for seed in range(600):
        Town(4 + 4 * (seed % 3)).live(Random(seed))


def test_all_room_is_given_away() -> None:
    """Three of five fit, and get their places one after the other."""
    town = Town(12)
    for number in range(5):
        for _ in range(2):
            assert list(town.call(deployed(f"p{number}")))
    assert list(town.created) == ["p0-1a/d-1", "p1-1a/d-1", "p2-1a/d-1"]


def known(newest: Release, live: Release | None = None, **changes: object) -> dict[str, Known]:
    project = Project(name="bot", current=newest.number, live=live.number if live else None)
    return {"bot": Known(project.replace(**changes), newest, live)}


def test_what_a_deployment_is_for_is_said() -> None:
    extra = "rollout: {keep_failed_for_minutes: 60, keep_previous_for_minutes: 90}\n"
    first = come_to(release(extra).replace(training=PLAN), Phase.LIVE, NOW, "")
    new = first.replace(number=2, training=PLAN.replace(digest="1" * 12))
    of_first, of_new = (
        deployed("bot", share=share).replace(endpoint=each.endpoint, name=each.deployment_name)
        for each, share in ((first, 100), (new, 0))
    )
    old = of_new.replace(name="d-old")
    serving = f"{of_first.endpoint}/{of_first.name}"
    before = (Superseded(deployment=f"{old.endpoint}/{old.name}", at=NOW),)
    testing = known(
        come_to(new, Phase.TESTING, NOW, ""), first, live_deployment=serving, previous=before
    )
    assert role(of_new, testing, NOW) == "testing"
    assert role(of_first, testing, NOW) == "live"
    assert role(of_first.replace(name="by-hand"), testing, NOW) == "has traffic"
    assert role(old, testing, NOW) == "superseded, kept until 2026-01-01 01:30 UTC"
    assert role(old, testing, NOW + 91 * MINUTE) == "superseded, is going"
    failed = known(come_to(new, Phase.FAILED, NOW, "boom"), first, live_deployment=serving)
    assert role(of_new, failed, NOW) == "failed, kept until 2026-01-01 01:00 UTC"
    assert role(deployed("other"), failed, NOW) == "no project other is known"
    assert list(under_way(testing)) == ["bot: release 2 is Testing since 2026-01-01 00:00 UTC: "]
    assert list(under_way(failed)) == ["bot: release 2 is Failed since 2026-01-01 00:00 UTC: boom"]
    assert list(under_way(known(first, first))) == []
    assert list(under_way(known(first, first, held_back="is pinned"))) == ["bot: is pinned"]


def bill(*found: Deployed, nodes: tuple[Nodes, ...] = (), **changes: object) -> Bill:
    total = sum_of((*found, *nodes), PRICES)
    made = Bill(
        environment="production",
        currency="EUR",
        deployments=tuple(
            DeploymentCost(deployment=each, role="live", hourly=each.hourly(PRICES))
            for each in found
        ),
        clusters=tuple(ClusterCost(nodes=each, hourly=each.hourly(PRICES)) for each in nodes),
        total=total,
        monthly=total.monthly,
    )
    return made.replace(**changes)


def test_the_summary_says_what_runs_what_changed_and_what_is_not_live() -> None:
    nodes = Nodes(size=A100, count=1, tier="low_priority", cluster="gpus", project="bot")
    found = bill(
        deployed("bot", 2),
        deployed("cat", size="Standard_X"),
        nodes=(nodes, nodes.replace(count=0, cluster="idle")),
        releases=("dog: release 3 is Failed since 2026-01-01 00:00 UTC: boom",),
        max_hourly_cost=20.0,
    )
    before = (deployed("bot"), deployed("dog"))
    assert text.title(found) == "production: 10.00 EUR an hour, and 1 without a price"
    assert text.body(found, before).splitlines() == [
        "10.00 EUR an hour, and 1 without a price; 7,300 EUR a month",
        "max_hourly_cost of deployments: 20.00 EUR",
        "",
        "Deployments:",
        f"- bot: bot-1a/d-1, 2 x {A100}, 100% of the traffic, live: 8.00",
        "- cat: cat-1a/d-1, 1 x Standard_X, 100% of the traffic, live: no price",
        "",
        "Clusters:",
        f"- bot: gpus, 1 x {A100} (low_priority): 2.00",
        "",
        "Without a price, so not in the sum:",
        "- 1 x Standard_X",
        "",
        "Changed since the last summary:",
        "- new: cat: cat-1a/d-1, 1 x Standard_X",
        f"- gone: dog: dog-1a/d-1, 1 x {A100}",
        f"- bot: bot-1a/d-1, 1 x {A100} became 2 x {A100}",
        "",
        "Releases that are not live:",
        "- dog: release 3 is Failed since 2026-01-01 00:00 UTC: boom",
    ]
    console = Console(width=200, record=True, file=StringIO())
    console.print(render(found))
    shown = console.export_text()
    assert "without a price: 1 x Standard_X" in shown
    assert "production: 10.00 EUR an hour, and 1 without a price; 7,300 EUR a month" in shown


@pytest.mark.parametrize(
    ("found", "title", "runs"),
    [
        pytest.param(bill(), "production: nothing runs", False, id="nothing"),
        pytest.param(bill(at_work=True), "production: nothing runs", True, id="on-its-way"),
        pytest.param(
            bill(problem="what runs can't be told: x"),
            "production: what runs is not known",
            True,
            id="not-known",
        ),
        pytest.param(
            bill(deployed("bot"), currency="", environment=""),
            "TuneOps: the policy has no prices for what runs",
            True,
            id="no-prices",
        ),
    ],
)
def test_the_summary_of_little(found: Bill, title: str, runs: bool) -> None:
    assert (text.title(found), found.runs) == (title, runs)


def test_a_long_summary_is_cut_and_says_so() -> None:
    many = [deployed(f"p{number}") for number in range(text.MAX_LINES + 7)]
    lines = text.body(bill(*many), None).splitlines()
    assert len(lines) == text.MAX_LINES + 4
    assert lines[-1] == "- and 7 more"
    assert lines[0].startswith("228.00 EUR an hour;")


def test_the_most_that_a_deployment_takes_counts() -> None:
    others = "alternative_instance_types: [Standard_DS4_v2], autoscale: {max: 5}"
    config = config_of(
        "bot", f"deployment: {{instance_type: Standard_DS3_v2, instance_count: 3, {others}}}\n"
    )
    assert servings(config) == {
        "deployment.instance_type": Machines(size="Standard_DS3_v2", count=5),
        "deployment.alternative_instance_types.0": Machines(size="Standard_DS4_v2", count=5),
    }


def test_what_runs_counts_as_large_as_autoscale_may_make_it(services: Services) -> None:
    scaled = release("deployment: {autoscale: {min: 1, max: 4}}\n").replace(training=PLAN)
    live = come_to(scaled, Phase.LIVE, NOW, "")
    runs = Deployed(
        size=A100, count=1, endpoint=live.endpoint, name=live.deployment_name, project="bot"
    )
    others = [runs.replace(name="by-hand"), runs.replace(project="\n\\"), runs.replace(count=6)]
    services.store.write(documents.release("bot", 1), live, etag=None)
    project = Project(name="bot", current=1, live=1)
    services.store.write(documents.project("bot"), project, etag=None)
    counts = [each.count for each in reservation._grown(services, [runs, *others])]
    assert counts == [4, 1, 1, 6]
    larger = release("deployment: {autoscale: {min: 1, max: 9}}\n").replace(training=PLAN, number=2)
    services.store.write(documents.release("bot", 2), larger, etag=None)
    services.store.update(documents.project("bot"), Project, lambda _: project.replace(current=2))
    for phase, most in ((Phase.DEPLOYING, 4), (Phase.TESTING, 9)):
        made = come_to(larger, phase, NOW, "")
        services.store.update(documents.release("bot", 2), Release, partial(_instead, made))
        assert reservation._grown(services, [runs])[0].count == most


def _instead(made: Release, _: Release | None) -> Release:
    return made


@pytest.mark.parametrize(
    ("most", "bound", "made_by", "grows"),
    [
        pytest.param(5, "4", "1", True, id="larger"),
        pytest.param(4, "4", "1", False, id="the-same"),
        pytest.param(3, "4", "1", False, id="smaller"),
        pytest.param(5, None, "1", True, id="than-its-instances"),
        pytest.param(2, None, "1", False, id="no-more-than-its-instances"),
        pytest.param(5, "4", "2", False, id="its-own-that-had-room-when-created"),
        pytest.param(None, "4", "1", False, id="no-autoscale"),
    ],
)
def test_a_larger_autoscale_alone_takes_room(
    most: int | None, bound: str | None, made_by: str, grows: bool
) -> None:
    scale = f"deployment: {{autoscale: {{max: {most}}}}}\n" if most else ""
    made = come_to(release(scale).replace(number=2, training=PLAN), Phase.DEPLOYING, NOW, "")
    there = Deployment(made.deployment_name, "Succeeded", made_by, instance_count=2)
    endpoint = Endpoint(made.endpoint, "Succeeded", deployments=(there,))
    settings = {"max": bound} if bound else {}
    scalings = (Scaling(made.endpoint, made.deployment_name, settings),)
    seen = Observed(endpoint=endpoint, scalings=scalings if bound else ())
    assert reservation.grows_next(made, seen) is grows
    assert not reservation.grows_next(made, Observed())


def test_what_may_not_grow_says_so() -> None:
    wanted, beside = deployed("a", 4), [deployed("b", 2)]
    said = limit.lack(20, PRICES, wanted, beside, FILE, grows=True)
    assert said.startswith("deployment d-1 waits: it costs 16.00 EUR an hour at its autoscale.max,")
    assert "it may grow once enough of that has gone" in said
