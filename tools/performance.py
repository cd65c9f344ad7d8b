"""Writes docs/performance.md from bench/results.json: ``python -m tools.performance``."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results.json"
DOCUMENT = ROOT / "docs" / "performance.md"

TRIGGERS = {
    "github_webhook": "webhook: a push",
    "on_dataset_uploaded": "Event Grid: a blob of training data",
    "on_job_event": "Event Grid: a job has ended",
    "reconcile": "queue: a look at what is live and settled",
    "resync": "timer",
}
MOST_CALLS, MOST_SECONDS = 0.6, 2

Found = dict[str, Any]


def main() -> None:
    """Write it."""
    DOCUMENT.write_text(document(json.loads(RESULTS.read_text())))


def document(results: Found) -> str:
    """The whole document."""
    parts = [HEAD.format(machine=_machine(results["machine"]))]
    for name, told in SECTIONS.items():
        if name in results:
            parts.append("\n".join(told(results[name])))
    return "\n\n".join(parts) + "\n"


def _machine(machine: Found) -> str:
    name = machine.get("cpu") or machine["machine"]
    system = machine.get("os") or machine["system"]
    return (
        f"{machine['cores']} cores of {name}, {machine['memory_gb']} GB, {system}, "
        f"Python {machine['python']}"
    )


def _release(found: Found) -> Iterator[str]:
    first, second, script = found["first"], found["second"], found["tutorial"]
    yield "## A release beside the tutorial's script"
    yield ""
    yield RELEASE
    yield ""
    yield "| | first release | second release | the script |"
    yield "|---|---:|---:|---:|"
    yield f"| calls | {first['calls']} | {second['calls']} | {script['calls']} |"
    anew = [each["calls"] - each["read_again"] for each in (first, second, script)]
    yield f"| of which read again what was known | {_row(found, 'read_again')} |"
    yield f"| calls without those | {' | '.join(map(str, anew))} |"
    ratios = [each["calls"] / script["calls"] for each in (first, second)]
    yield f"| calls, of the script's | {ratios[0]:.2f} | {ratios[1]:.2f} | 1 |"
    yield f"| without those | {anew[0] / anew[2]:.2f} | {anew[1] / anew[2]:.2f} | 1 |"
    for key, name in SPANS.items():
        yield f"| {name} | {first[key]} s | {second[key]} s | |"
    yield ""
    met = [f"calls of the second release: {_met(ratios[1], MOST_CALLS)}"]
    met.append(f"of the first: {_met(ratios[0], MOST_CALLS)}")
    later = second["job_end_to_deployment_seconds"]
    met.append(f"seconds of the second release: {_met(later, MOST_SECONDS)}")
    met.append(f"of the first: {_met(first['job_end_to_deployment_seconds'], MOST_SECONDS)}")
    yield f"Wanted: at most {MOST_CALLS} of the script's calls, and {MOST_SECONDS} s from the job's"
    yield "end to a submitted deployment. Found:"
    yield ""
    yield from (f"- {each}" for each in met)
    yield ""
    yield _load(found).strip()


def _row(found: Found, key: str) -> str:
    return " | ".join(str(found[each][key]) for each in ("first", "second", "tutorial"))


def _met(value: float, most: float) -> str:
    return f"{value:.2f} ({'met' if value <= most else 'not met'})"


def _triggers(found: Found) -> Iterator[str]:
    yield "## Triggers"
    yield ""
    yield TRIGGER
    yield ""
    yield "| trigger | events a second | p50 | p99 | the peer's p50 | times the peer |"
    yield "|---|---:|---:|---:|---:|---:|"
    for name, text in TRIGGERS.items():
        each = found[name]
        yield (
            f"| {text} | {each['events_per_second']} | {each['p50_ms']} ms | {each['p99_ms']} ms "
            f"| {each['peer_p50_ms']} ms | {each['takes_times_the_peer']} |"
        )
    yield ""
    yield f"One thread invokes them.{_load(found)}"


def _reconcile(found: Found) -> Iterator[str]:
    yield "## A look and a step"
    yield ""
    yield RECONCILE
    yield ""
    yield "| | processor | calls to storage | calls to Azure |"
    yield "|---|---:|---:|---:|"
    rows = {"look": "a look", "peer": "the script", "step": "a step of a release"}
    for key, text in rows.items():
        each = found[key]
        storage, azure = each["storage_calls"], each["azure_calls"]
        yield f"| {text} | {each['cpu_ms']} ms | {storage:g} | {azure:g} |"
    yield ""
    ratio, steps = found["look_takes_cpu_of_peer"], found["step"]["steps"]
    yield f"A look takes {ratio} times the script's processor time. The release took {steps} steps"
    yield f"until its job was submitted; the step is their mean.{_load(found)}"


def _cold(found: Found) -> Iterator[str]:
    yield "## Cold start"
    yield ""
    yield COLD
    yield ""
    yield "| | seconds |"
    yield "|---|---:|"
    yield f"| the app | {found['app_seconds']} |"
    yield f"| with `azure.ai.ml` at its top | {found['peer_seconds']} |"
    yield ""
    yield f"The app takes {found['app_takes_of_peer']} of the peer's time.{_load(found)}"


def _load(found: Found) -> str:
    return f" The load before was {found['load_before']}."


HEAD = """# Performance

Made from `bench/results.json` by `make bench`, which measures each thing beside its peer in one
run on one machine:

    {machine}

It is the local cloud, where a call takes less time than in Azure, so ratios and counts say more
than seconds; what other work the machine had is said as its load. `make bench PART=release`
measures one part anew. How cost grows with the number of projects is in [scale](scale.md), and
what starts when in [packaging](packaging.md#how-soon-it-starts)."""

RELEASE = """\
Calls of Azure ML from a merge until the release is live, counted in the workspace's own log.
The script is the tutorial with the unmodified SDK, on the same rows and in the same workspace.
Its uploads, which go to storage, and the calls that delete its endpoint at the end are left
out, and so is what pointing the SDK at another cloud adds. TuneOps keeps its own state in
storage, which is not among the calls either: see the looks below. It looks every 5 s here, and
every 60 s by default in Azure, where things take longer; the SDK asks as often as the
workspace's answers say, here each second. TuneOps does more than the script: it registers the
data, checks quota, reads the courses of metrics, and looks for what somebody has changed. The
second release changes a parameter, so it finds an endpoint; the first one begins to create it
before it submits its job. From the job's end means without the time in which an operation of
Azure's ran."""

SPANS = {
    "job_end_to_deployment_seconds": "from the job's end to a submitted deployment",
    "job_end_to_live_seconds": "from the job's end to live",
    "azure_itself_seconds": "Azure's own operations meanwhile",
}

TRIGGER = """\
What the app's own functions take, with Azurite behind them: what the Functions host adds is not
in it. The peer, in turn with each, is the least that a trigger can do: one message put on a
queue by the SDK."""

RECONCILE = """\
A look at a project that is live and settled, beside a script that asks the SDK for the same:
the endpoint, its deployments and the model's archived versions."""

COLD = """\
From the start of Python until the first signed webhook is accepted, beside the same app in a
module that imports `azure.ai.ml` first. The processes take turns."""

SECTIONS: dict[str, Callable[[Found], Iterator[str]]] = {
    "release": _release,
    "triggers": _triggers,
    "reconcile": _reconcile,
    "cold": _cold,
}

if __name__ == "__main__":
    main()
