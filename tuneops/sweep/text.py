"""What people are told of sweeps, in which words. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from tuneops import names
from tuneops.message import Message
from tuneops.notify.plain import fitted
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
    findings: Sequence[Finding],
    workspace: str,
    grace: timedelta | None,
    now: datetime,
    environment: str = "",
) -> Message:
    """Tells of what was found, all at once."""
    lines = [line(each, grace) for each in findings[:MAX_SHOWN]]
    if len(findings) > MAX_SHOWN:
        lines.append(f"and {len(findings) - MAX_SHOWN} more: see 'tuneops sweep'")
    what = "resource belongs" if len(findings) == 1 else "resources belong"
    goes = f"what is unused goes after {grace.total_seconds() / 3600:g} h; " if grace else ""
    return _message(
        "orphaned",
        names.digest("found", sorted(each.id for each in findings), now.isoformat()),
        f"sweep of {_last(workspace)}: {len(findings)} {what} to nothing",
        "\n".join(lines),
        now,
        severity="warning",
        environment=environment,
        following=f"'tuneops sweep' shows all; {goes}what has a tag {names.TAG_KEEP} is left alone",
    )


def swept(record: Record, now: datetime) -> Message:
    """Tells that something has gone, once for each time that it went."""
    finding, job = record.finding, record.finding.kind == Kind.JOB
    verb = "cancelled" if job else "deleted"
    moment = record.gone_at.isoformat() if record.gone_at else ""
    return _message(
        "swept",
        f"{finding.id}:{moment}",
        f"sweep: {finding.label} of {finding.project} was {verb}",
        f"{finding.why}; {proven(finding)}",
        now,
        project=finding.project,
        environment=record.environment,
        following="" if job else f"'tuneops restore {finding.id}' brings it back",
    )


def stopped(why: str, workspace: str, now: datetime, environment: str = "") -> Message:
    """Tells that nothing goes."""
    return _message(
        "stopped",
        names.digest(why, now.isoformat()),
        f"sweep of {_last(workspace)} is stopped",
        why,
        now,
        severity="warning",
        environment=environment,
        following="nothing is deleted until somebody has looked: see 'tuneops sweep'",
    )


def restored(record: Record, now: datetime) -> Message:
    """Tells how a restoration has ended."""
    order, finding = record.restoration, record.finding
    if order is None:
        raise ValueError("nobody has ordered that")
    done = order.state == DONE
    came = "was restored" if done else "could not be restored"
    reason = f": {order.reason}" if order.reason else ""
    return _message(
        "restored",
        names.digest(finding.id, order.at.isoformat()),
        f"restore: {finding.label} of {finding.project} {came}",
        order.said,
        now,
        severity="info" if done else "warning",
        project=finding.project,
        environment=record.environment,
        why=f"ordered by {order.by}{reason}",
    )


def _message(event: str, key: str, title: str, text: str, now: datetime, **said: object) -> Message:
    told = Message(key=f"{event}:{key}", event=event, title=title, text=text, at=now)
    return fitted(told.replace(**said))


def _last(workspace: str) -> str:
    return workspace.rpartition("/")[2]
