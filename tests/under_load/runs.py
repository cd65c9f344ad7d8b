"""The runs: a burst of events, and a soak."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tests.simulated import simulated_cloud, subscription_for
from tests.under_load.deliveries import Deliveries
from tests.under_load.figures import Figure, at_most, exactly, growth, known, percentile
from tests.under_load.plan import plan
from tests.under_load.sampling import Sampling, processes_of
from tests.under_load.sending import Sender, Sent
from tests.under_load.settling import Outcome
from tests.under_load.world import World

WEBHOOK_P99_MS = 50.0
QUIET = {
    "TUNEOPS_RESYNC_SCHEDULE": "0 0 0 1 1 *",
    "TUNEOPS_SWEEP_SCHEDULE": "0 0 0 1 1 *",
    "TUNEOPS_SUMMARY_SCHEDULE": "0 0 0 1 1 *",
}
"""The timers are silent: nothing but the events tells TuneOps of anything, so each one counts."""
FEW_AT_A_TIME = {
    "AzureFunctionsJobHost__extensions__queues__batchSize": "2",
    "AzureFunctionsJobHost__extensions__queues__newBatchThreshold": "1",
}
"""All share two cores, and one store: what reconciles does not crowd out what events wait for."""
WARM_UP = 0.25
"""The part of a soak before memory and files are looked at."""
JUDGED_MINUTES = 10.0
"""A shorter soak is held to nothing: the process still warms up."""
MORE_MEMORY_PERCENT, MORE_FILES = 5.0, 10.0


@dataclass(frozen=True)
class Load:
    """How much: `events` over `projects`, `rate` in a second, then a `storm` without a pause.

    Of the uploads and pushes a `share` changes something, beside each project's first upload.
    """

    events: int
    projects: int
    rate: float
    share: float
    storm: int = 0
    job_seconds: float = 5.0
    seed: int = 1


FULL = Load(events=8_000, storm=2_000, projects=500, rate=25.0, share=0.015)
SMALL = Load(events=450, storm=150, projects=6, rate=25.0, share=0.02)
STEADY = Load(events=0, projects=40, rate=4.0, share=0.05)


@dataclass
class _Stage:
    world: World
    outcome: Outcome
    sender: Sender
    state: Path


def burst(state: Path, load: Load) -> Iterator[Figure]:
    """A burst of events over many projects, until all of them are settled."""
    with _stage(state, load) as stage:
        events = plan(load.seed, load.events + load.storm, load.projects, load.share)
        with _sampling(stage) as sampling:
            steady = stage.sender.send(islice(events, load.events), load.rate)
            storm = stage.sender.send(events)
            settled = stage.outcome.until_settled()
        yield known("events a second", f"{steady.count / steady.took:.1f}")
        yield from _answered(steady, "", bound=True)
        yield known("storm: events a second", f"{storm.count / storm.took:.1f}")
        yield from _answered(storm, "storm: ", bound=False)
        yield known("releases in flight at most", str(sampling.most_in_flight))
        yield known("settled after the last event", f"{settled:.0f} s")
        yield from _nothing_lost(stage, sampling, steady, storm)
        yield known("the host's memory at most", f"{max(sampling.values('megabytes')):.0f} MB")


def soak(state: Path, minutes: float, load: Load) -> Iterator[Figure]:
    """Events and releases without a pause; memory and open files of the hosts stay flat."""
    with _stage(state, load) as stage:
        count = round(minutes * 60 * load.rate)
        with _sampling(stage) as sampling:
            sent = stage.sender.send(plan(load.seed, count, load.projects, load.share), load.rate)
        settled = stage.outcome.until_settled()
        yield known("events a second", f"{sent.count / sent.took:.1f}")
        yield from _answered(sent, "", bound=False)
        yield known("releases", f"{stage.outcome.releases()}")
        yield known("settled after the last event", f"{settled:.0f} s")
        yield from _nothing_lost(stage, sampling, sent)
        yield from _flat(sampling, minutes >= JUDGED_MINUTES)


@contextmanager
def _stage(state: Path, load: Load) -> Iterator[_Stage]:
    """A local cloud in which every project has a config, and waits for data."""
    with simulated_cloud(
        state,
        job_seconds=load.job_seconds,
        settings=QUIET | FEW_AT_A_TIME,
        in_memory=True,
        event_subscriptions=[subscription_for("on_job_event")],
        functions_apart=True,
    ) as cloud:
        world = World(cloud, load.projects, load.seed)
        world.begin()
        outcome = Outcome(world)
        cloud.until_true(lambda: outcome.phases().total() == load.projects, 600)
        base_url = cloud.connection["functions"]["base_url"]
        yield _Stage(world, outcome, Sender(base_url, Deliveries(world), world.change), state)


def _sampling(stage: _Stage) -> Sampling:
    return Sampling(processes_of(stage.state, "functions"), stage.outcome.in_flight)


def _answered(sent: Sent, which: str, *, bound: bool) -> Iterator[Figure]:
    """How long senders waited."""
    webhooks = [seconds * 1000 for seconds in sent.webhook_seconds]
    yield known(f"{which}webhook p50", f"{percentile(webhooks, 50):.1f} ms")
    p99 = percentile(webhooks, 99)
    name = f"{which}webhook p99"
    yield at_most(name, p99, WEBHOOK_P99_MS, " ms") if bound else known(name, f"{p99:.1f} ms")
    yield known(f"{which}webhook at most", f"{max(webhooks, default=0):.1f} ms")
    events = [seconds * 1000 for seconds in sent.event_seconds]
    yield known(f"{which}Event Grid p99", f"{percentile(events, 99):.1f} ms")


def _nothing_lost(stage: _Stage, sampling: Sampling, *sent: Sent) -> Iterator[Figure]:
    """Each event is accepted and has a fate, no message is left, each project is right."""
    accepted = {identifier for each in sent for identifier in each.accepted}
    ledger = stage.outcome.events()
    fates = [ledger[each].fate if each in ledger else "lost" for each in sorted(accepted)]
    yield known("deliveries", f"{sum(each.count for each in sent):,}")
    yield known("events, without duplicates", f"{len(accepted):,}")
    for answer, times in sum((each.unexpected for each in sent), Counter[str]()).items():
        yield known(f"answered otherwise: {answer}", str(times))
    yield exactly("hosts that ended", int(sampling.ended), 0)
    yield exactly("deliveries not accepted", sum(each.refused for each in sent), 0)
    yield exactly("events that are in no ledger", fates.count("lost"), 0)
    yield exactly("events without a fate", fates.count("waiting"), 0)
    yield exactly("messages left or given up", stage.outcome.left(), 0)
    wrong = stage.outcome.wrong()
    for name, why in sorted(wrong.items())[:20]:
        print(f"{name}: {why}")
    right = stage.world.projects - len(wrong)
    yield exactly("projects with the right release", right, stage.world.projects)


def _flat(sampling: Sampling, judged: bool) -> Iterator[Figure]:
    """By how much memory and files rise after the warm-up, by a straight line through them."""
    memory = sampling.after(WARM_UP, "megabytes")
    files = sampling.after(WARM_UP, "files")
    base = memory[0][1]
    more, more_files = growth(memory) / base * 100, growth(files)
    yield known("the host's memory after warm-up", f"{base:.0f} MB")
    yield known("its open files after warm-up", f"{files[0][1]:.0f}")
    if judged:
        yield at_most("memory rises by", more, MORE_MEMORY_PERCENT, " %")
        yield at_most("open files rise by", more_files, MORE_FILES)
    else:
        yield known("memory rises by (too short)", f"{more:.1f} %")
        yield known("open files rise by (too short)", f"{more_files:.1f}")
