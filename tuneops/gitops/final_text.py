"""The final comment on a merged pull request: what became of its projects. Pure.

All that comes from a config, a model or Azure stands in code, as in the review's comment.
"""

import re
from collections.abc import Iterator, Mapping

from tuneops.behaviour.text import score_text
from tuneops.estimate_text import beside, duration
from tuneops.estimates import Actuals
from tuneops.gitops.review_text import code
from tuneops.notify.messages import shown_metrics
from tuneops.release import Phase, Release
from tuneops.scrub import scrub

MARK = "<!-- tuneops-final -->"
MAX_TEXT = 300
MAX_COMMENT = 60_000
_URL = re.compile(r"https?://[A-Za-z0-9][^\s<>()\[\]\"'`|\\@]{0,1000}")
_SAID = {
    Phase.LIVE: "is live",
    Phase.FAILED: "failed",
    Phase.SUPERSEDED: "was superseded",
    Phase.RETIRED: "was retired",
}


def comment(sections: Mapping[str, str]) -> str:
    """The whole comment, which begins with `MARK`: the projects' sections in their order.

    Sections that there is no room for are named.
    """
    text = f"{MARK}\n### What became of it\n"
    left_out: list[str] = []
    for project in sorted(sections):
        added = f"\n{sections[project]}\n"
        if len(text) + len(added) > MAX_COMMENT:
            left_out.append(project)
        else:
            text += added
    if left_out:
        text += f"\nLeft out for want of room: {code(', '.join(left_out)[:2000])}\n"
    return text


def section(release: Release, before: Release | None) -> str:
    """What a release that came to its end has to say; `before` is the one that was live."""
    said = _SAID.get(release.phase, str(release.phase))
    lines = [
        f"#### {code(release.project)}: release {release.number} {said}",
        "",
        code(_cut(release.reason)),
        "",
        *details(release, before),
    ]
    return "\n".join(lines).rstrip()


def details(release: Release, before: Release | None) -> Iterator[str]:
    """What is known of a release: its metrics beside those of `before`, its answer, its costs."""
    yield from _metrics(release, before)
    yield from _smoke(release)
    yield from _behaviour(release)
    yield from _estimates(release)
    yield from _phases(release.actuals or Actuals())
    yield from _links(release)


def _metrics(release: Release, before: Release | None) -> Iterator[str]:
    values = release.metrics.values if release.metrics else {}
    known = before.metrics.values if before and before.metrics else {}
    if not values:
        return
    head = f"change against release {before.number}" if before and known else ""
    yield from (f"| metric | value | {head} |", "|---|---|---|")
    for name in shown_metrics(values):
        change = f"{values[name] - known[name]:+.4g}" if name in known else ""
        yield f"| {code(_cut(name))} | {values[name]:.4g} | {change} |"
    yield ""


def _smoke(release: Release) -> Iterator[str]:
    answer = next(reversed(release.smoke.answers), None) or release.smoke.failed
    if answer is None:
        return
    passed = "passed" if answer.passed else "failed"
    yield from (f"Smoke test ({passed}, {answer.seconds:.1f} s):", "")
    yield f"- question {code(_cut(answer.question))}"
    yield f"- answer {code(_cut(answer.answer))}"
    yield from (f"- {code(_cut(failure))}" for failure in answer.failures[:5])
    yield ""


def _behaviour(release: Release) -> Iterator[str]:
    comparisons = release.behaviour.comparisons if release.behaviour else ()
    if not comparisons:
        return
    yield from ("| evaluation set | scores | verdict |", "|---|---|---|")
    for each in comparisons:
        yield f"| {code(_cut(each.name))} | {score_text(each)} | {each.verdict} |"
    yield ""


def _estimates(release: Release) -> Iterator[str]:
    came = release.actuals or Actuals()
    rows = list(beside(release.forecast, came))
    if rows:
        yield from ("| | forecast | came |", "|---|---|---|")
        yield from (f"| {name} | {foretold} | {actual} |" for name, foretold, actual in rows)
        yield ""
    basis = release.forecast.basis or release.forecast.unknown if release.forecast else ""
    for label, text in (("forecast by", basis), ("note", came.note)):
        if text:
            yield from (f"{label}: {code(_cut(text))}", "")


def _phases(came: Actuals) -> Iterator[str]:
    if came.phases:
        told = ", ".join(f"{phase} {duration(lasted)}" for phase, lasted in came.phases.items())
        yield from (f"Times: {told}", "")


def _links(release: Release) -> Iterator[str]:
    """The pages of the job, the data's report and the endpoint, and the answers; no others."""
    known = {name: url for entry in release.history for name, url in entry.links.items()}
    answers = (f"answers of {each.name}" for each in release.config.behaviour.sets)
    shown = [
        f"[{name}]({known[name]})"
        for name in ("report", "job", "endpoint", *answers)
        if _URL.fullmatch(known.get(name, ""))
    ]
    if shown:
        yield f"Links: {', '.join(shown)}"


def _cut(text: str) -> str:
    plain = scrub(text)
    return plain if len(plain) <= MAX_TEXT else plain[:MAX_TEXT] + "..."
