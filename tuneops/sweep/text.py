"""What people are told of sweeps, in which words. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from tuneops import names
from tuneops.message import Message
from tuneops.sweep.finding import Finding
from tuneops.sweep.record import DONE, Record
from tuneops.sweep.resource import Kind

MAX_SHOWN = 20


def line(finding: Finding, grace: timedelta | None) -> str:
    """A finding in one line; without a grace nothing is ever deleted."""
    whose = finding.project if finding.release is None else f"{finding.project} {finding.release}"
    said = f"{finding.label} ({whose}): {finding.why}"
    if finding.left:
        return f"{said}. It is left: {finding.left}"
    verb = "cancelled" if finding.kind == Kind.JOB else "deleted"
    until = f"{finding.due(grace):%Y-%m-%d %H:%M} UTC" if grace else ""
    if finding.stuck:
        return f"{said}; {proven(finding)}. It could not be {verb}: {finding.stuck}"
    return f"{said}; {proven(finding)}" + (f". It is {verb} after {until}" if grace else "")


def proven(finding: Finding) -> str:
    """Why nobody uses it."""
    return f"{finding.proof} since {finding.unused_since:%Y-%m-%d %H:%M} UTC"


def found(
    findings: Sequence[Finding], workspace: str, grace: timedelta | None, now: datetime
) -> Message:
    """Tells of what was found, all at once."""
    lines = [line(each, grace) for each in findings[:MAX_SHOWN]]
    if len(findings) > MAX_SHOWN:
        lines.append(f"and {len(findings) - MAX_SHOWN} more: see 'tuneops sweep'")
    lines.append(f"What has a tag {names.TAG_KEEP} is left alone.")
    what = "resource belongs" if len(findings) == 1 else "resources belong"
    return _message(
        "orphaned",
        names.digest("found", sorted(each.id for each in findings), now.isoformat()),
        f"sweep of {_last(workspace)}: {len(findings)} {what} to nothing",
        "\n".join(lines),
        now,
    )


def swept(record: Record, now: datetime) -> Message:
    """Tells that something has gone."""
    finding = record.finding
    text = f"{finding.why}; {proven(finding)}"
    if finding.kind != Kind.JOB:
        text += f". 'tuneops restore {finding.id}' brings it back"
    verb = "cancelled" if finding.kind == Kind.JOB else "deleted"
    title = f"sweep: {finding.label} of {finding.project} was {verb}"
    return _message("swept", finding.id, title, text, now)


def stopped(why: str, workspace: str, now: datetime) -> Message:
    """Tells that nothing goes."""
    title = f"sweep of {_last(workspace)} is stopped"
    return _message("stopped", names.digest(why, now.isoformat()), title, why, now)


def restored(record: Record, now: datetime) -> Message:
    """Tells how a restoration has ended."""
    order, finding = record.restoration, record.finding
    if order is None:
        raise ValueError("nobody has ordered that")
    came = "was restored" if order.state == DONE else "could not be restored"
    title = f"restore: {finding.label} of {finding.project} {came}"
    key = names.digest(finding.id, order.at.isoformat())
    return _message("restored", key, title, f"{order.said}, as {order.by} has ordered", now)


def _message(event: str, key: str, title: str, text: str, now: datetime) -> Message:
    return Message(key=f"{event}:{key}", event=event, title=title, text=text, at=now)


def _last(workspace: str) -> str:
    return workspace.rpartition("/")[2]
