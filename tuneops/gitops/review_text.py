"""The comment on a pull request. Pure.

All that comes from a config stands in code, where Markdown has no meaning and nobody is mentioned.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tuneops.estimate_text import facts
from tuneops.estimates import Forecast
from tuneops.outcome import SAID, Kind, Outcome
from tuneops.prepared import PreparedData
from tuneops.release import TrainingPlan

MARK = "<!-- tuneops-plan -->"
MAX_COMMENT = 60_000
MAX_CHANGES = 40
MAX_DESCRIPTION = 140


@dataclass(frozen=True)
class Finding:
    """What a pull request would do with one project; `problem` says why it can't be done.

    `notes` say what else stands between merging it and that. `passing`: the problem is one of this
    moment.
    """

    project: str
    path: str
    removal: str = ""
    outcome: Outcome | None = None
    plan: TrainingPlan | None = None
    data: PreparedData | None = None
    forecast: Forecast | None = None
    problem: str = ""
    passing: bool = False
    notes: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """What happens, in a few words."""
        if self.problem:
            return "can't be carried out"
        return self.removal or (SAID[self.outcome.kind] if self.outcome else "")


def mark(environment: str) -> str:
    """What the comment for an environment begins with; nobody sees it."""
    return f"<!-- tuneops-plan {environment} -->" if environment else MARK


def comment(
    commit: str,
    errors: Sequence[str],
    findings: Sequence[Finding],
    environment: str = "",
    more: Sequence[str] = (),
) -> str:
    """The comment as Markdown; it begins with its `mark`. `more` are lines after what happens."""
    where = f" in {environment}" if environment else ""
    lines = [mark(environment), f"### TuneOps plan for {commit[:12]}{where}", ""]
    if errors:
        lines += ["These files are not valid:", "", *(f"- {code(error)}" for error in errors), ""]
    if findings:
        lines += ["| project | file | what happens |", "|---|---|---|"]
        lines += (f"| {code(f.project)} | {code(f.path)} | {f.said} |" for f in findings)
        lines += ["", *_notes(findings), *more]
        lines += (line for finding in findings for line in _details(finding))
    else:
        lines += more
    if not errors and not findings:
        lines.append("No project changes.")
    text = "\n".join(lines)
    return text if len(text) <= MAX_COMMENT else f"{_whole_lines(text[:MAX_COMMENT])}\n\n(cut)"


def verdict(errors: Sequence[str], findings: Sequence[Finding], more: str = "") -> tuple[str, str]:
    """The state of the commit's status and its description, with `more` that is no failure."""
    wrong = [error.partition(": ")[0] for error in errors]
    wrong += [finding.project for finding in findings if finding.problem]
    if wrong:
        return "failure", f"can't be carried out: {', '.join(wrong)}"[:MAX_DESCRIPTION]
    said = [f"{finding.project}: {finding.said}" for finding in findings]
    said += [more] if more else []
    return "success", ("; ".join(said) or "no project changes")[:MAX_DESCRIPTION]


def code(text: str) -> str:
    """Foreign text as a code span of one line, in a table or out of it; two signs look alike."""
    plain = " ".join(text.split()).replace("`", "'").replace("|", "\u00a6")
    return f"`{plain or ' '}`"


def _whole_lines(text: str) -> str:
    """The text without its last line, which may be half a code span."""
    return text.rpartition("\n")[0]


def not_looked_at(count: int) -> Iterator[str]:
    """What the comment says of projects that are too many."""
    if count > 0:
        yield from (f"**{count} more projects are changed, which nobody has looked at here.**", "")


def _notes(findings: Iterable[Finding]) -> Iterator[str]:
    lines = [f"- {code(f.project)}: {code(note)}" for f in findings for note in f.notes]
    if lines:
        yield from ("Before that happens:", "", *lines, "")


def _details(finding: Finding) -> Iterator[str]:
    if finding.problem:
        yield from (f"**{code(finding.project)}** {code(finding.problem)}", "")
    if finding.outcome is None or finding.plan is None:
        return
    yield from (f"<details><summary>{finding.project}</summary>", "")
    yield from _table("field", _changes(finding.outcome))
    yield from _table("fact", _facts(finding.plan, finding.data))
    if finding.forecast:
        yield from _table("forecast", facts(finding.forecast))
    if finding.outcome.kind == Kind.TRAIN:
        inputs = sorted(finding.plan.parameters.items())
        yield from _table("input", ((name, f"{p.value} ({p.origin})") for name, p in inputs))
    yield from ("</details>", "")


def _changes(outcome: Outcome) -> Iterator[tuple[str, str]]:
    for change in outcome.changes[:MAX_CHANGES]:
        yield change.field, f"{change.before or '(not set)'} -> {change.after or '(not set)'}"
    if len(outcome.changes) > MAX_CHANGES:
        yield "more", f"{len(outcome.changes) - MAX_CHANGES} other fields"


def _facts(plan: TrainingPlan, data: PreparedData | None) -> Iterator[tuple[str, str]]:
    if data:
        yield "data", f"{data.digest}: {data.train_rows:,} training, {data.test_rows:,} test rows"
    yield "model", plan.base_model
    yield "trains on", f"{plan.nodes} x {plan.compute_size}"
    for note in plan.notes:
        yield "note", note


def _table(head: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    lines = [f"| {code(name)} | {code(value)} |" for name, value in rows]
    if lines:
        yield from (f"| {head} | |", "|---|---|", *lines, "")
