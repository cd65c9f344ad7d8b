"""``tuneops show``."""

from collections.abc import Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from tuneops.cli import reading
from tuneops.cli.completion import ProjectArgument, ReleaseArgument
from tuneops.cli.output import JsonOption, console, plain, print_json
from tuneops.cli.release_tables import course, inputs, table
from tuneops.cli.target import STATE, KeyOption, StateOption, Target, UrlOption
from tuneops.notify.messages import metrics_text
from tuneops.release import SampleAnswer
from tuneops.status import ReleaseStatus


def show(
    project: ProjectArgument,
    release: ReleaseArgument = None,
    as_json: JsonOption = False,
    url: UrlOption = "",
    key: KeyOption = "",
    state: StateOption = STATE,
) -> None:
    """Show all of one release: what it was made of, what became of it, and when.

    Example: tuneops show support-bot 12
    """
    found = reading.release(Target.find(url, key, state), project, release)
    if as_json:
        print_json(found)
    else:
        console().print(render(project, found))


def render(project: str, release: ReleaseStatus) -> Group:
    """The release as tables, a blank line between each two; what is empty is left out."""
    parts: list[RenderableType] = [table("", "", rows=_facts(project, release)), *course(release)]
    for answer in filter(None, (*release.smoke.answers, release.smoke.failed)):
        parts += ["", *_smoke(answer)]
    if release.training:
        parts += ["", inputs(release.training.parameters)]
    if release.messages:
        parts += ["", table("At", "Message", rows=map(_told, release.messages.items()))]
    return Group(*parts)


def _facts(project: str, release: ReleaseStatus) -> Iterator[tuple[str, str]]:
    """What a line is enough for."""
    trouble = release.trouble.message if release.trouble else ""
    waits = release.waiting.reason if release.waiting else ""
    plan, data = release.training, release.data
    rows = f"{data.train_rows:,} to train, {data.test_rows:,} to test" if data else ""
    facts = (
        ("release", f"{release.number} of {project}"),
        *(("began", f"{e.at.astimezone():%Y-%m-%d %H:%M}") for e in release.history[:1]),
        ("phase", release.phase),
        ("why", "; ".join(filter(None, (release.reason, trouble or waits)))),
        ("rejected", release.rejected),
        ("commit", release.commit),
        ("data", ", ".join(filter(None, (release.source, rows)))),
        ("data digest", data.digest if data else ""),
        ("model", plan.base_model if plan else ""),
        ("component", plan.component if plan else ""),
        ("trains on", f"{plan.nodes} x {plan.compute_size}" if plan and plan.compute_size else ""),
        ("job", release.job or ""),
        ("metrics", metrics_text(release.metrics.values) if release.metrics else ""),
        ("endpoint", release.endpoint),
        ("deployment", release.deployment or ""),
        ("serves on", release.instance_type),
        *((f"link: {name}", url) for entry in release.history for name, url in entry.links.items()),
    )
    yield from {name: value for name, value in facts if value}.items()


def _smoke(answer: SampleAnswer) -> Iterator[Text]:
    """The smoke test's question, and what was answered to it."""
    went = "passed" if answer.passed else f"failed: {'; '.join(answer.failures)}"
    yield Text(f"Smoke test ({went}, {answer.seconds:.1f} s)")
    yield Text(plain(f"  asked     {answer.question}"))
    yield Text(plain(f"  answered  {answer.answer}"))


def _told(message: tuple[str, datetime | None]) -> tuple[str, str]:
    """When it was sent, and what it was about."""
    about, at = message
    return f"{at.astimezone():%H:%M:%S}" if at else "owed", about
