"""What belongs to nothing, for how long it has been unused, and what goes now. Pure.

A finding's grace begins when it is found and unused, and anew whenever that can't be said for sure:
when it was used, when it could not be looked at for a day, when it turned out not to be ours to
delete. Nothing goes that people have not been told of since.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from tuneops import names
from tuneops.document import Document
from tuneops.message import Message
from tuneops.notify.mailbox import Outcome
from tuneops.sweep.resource import Kind, Resource

PROVEN = timedelta(days=1)
"""So far back a look can see whether something was used."""
MAX_DELETED = 5
"""So many go in one sweep; the others in the next."""
FEW = 3
MAX_SHARE_PERCENT = 30
"""More than `FEW` go only if they are no larger share of what carries our tags."""


class Finding(Document):
    """A resource that belongs to nothing, by its ARM id.

    `why` says so, `proof` how it is known that nobody uses it. `left` says why it is not to be
    deleted as things stand, empty if it is: `since` is from when on that was seen without a break,
    `seen` until when, and `unused_since` is what the proof goes back to. `message` tells of it,
    `told_at` is when somebody got that. `stuck` is why Azure did not delete it in its time.
    """

    id: str
    resource: str
    kind: Kind
    label: str
    project: str
    release: int | None = None
    why: str
    proof: str = ""
    left: str = ""
    found_at: datetime
    since: datetime
    seen: datetime
    unused_since: datetime
    message: str = ""
    told_at: datetime | None = None
    stuck: str = ""

    def due(self, grace: timedelta) -> datetime:
        """From when on it may go: it was unused for so long since people heard of it."""
        return max(self.since, self.told_at or self.since) + grace


class Findings(Document):
    """What was found in a workspace at the last look.

    `total` is how many of its resources carry our tags; `stopped` says why nothing goes, though
    something would be due; `deletes` whether anything goes at all. `trouble` is why the last sweep
    could not look.
    """

    workspace: str = ""
    looked_at: datetime | None = None
    total: int = 0
    stopped: str = ""
    deletes: bool = False
    trouble: str = ""
    findings: tuple[Finding, ...] = ()
    outbox: tuple[Message, ...] = ()

    def on_the_way(self, now: datetime, *, deletes: bool) -> "Findings":
        """The findings as they count from now on.

        People who were told while nothing was deleted are told anew, and have the whole grace.
        """
        if not deletes or self.deletes:
            return self.replace(deletes=deletes)
        again = tuple(f.replace(since=now, message="", told_at=None) for f in self.findings)
        return self.replace(deletes=deletes, findings=again)

    def of(self, resource: Resource) -> Finding | None:
        """The finding of this resource, if there is one."""
        found = (each for each in self.findings if each.resource.lower() == resource.key)
        return next(found, None)


class Proof(Document):
    """What a look at a resource itself has shown: why it is `left`, or unused since when."""

    left: str = ""
    proof: str = ""
    since: datetime | None = None


def asks_since(before: Finding | None, now: datetime) -> datetime:
    """From when on to ask whether something was used."""
    return max(before.seen, now - PROVEN) if before else now - PROVEN


def weighed(
    before: Finding | None,
    resource: Resource,
    why: str,
    proof: Proof,
    now: datetime,
    seen: datetime,
) -> Finding:
    """The finding after a look that has shown the `proof`; it holds until `seen`."""
    new = Finding(
        id=names.digest(resource.key, now.isoformat()),
        resource=resource.id,
        kind=resource.kind,
        label=resource.label,
        project=resource.project,
        release=resource.release,
        why=why,
        proof=proof.proof,
        left=proof.left,
        found_at=now,
        since=now,
        seen=seen,
        unused_since=proof.since or now,
    )
    if before is None:
        return new
    known = new.replace(id=before.id, found_at=before.found_at)
    broken = before.seen < now - PROVEN
    if (bool(before.left), broken) == (bool(proof.left), False):
        same = {name: getattr(before, name) for name in ("since", "unused_since")}
        return known.replace(
            **same, message=before.message, told_at=before.told_at, stuck=before.stuck
        )
    if proof.left:
        return known.replace(message=before.message, told_at=before.told_at)
    return known


def due(
    findings: Collection[Finding], total: int, grace: timedelta, now: datetime
) -> list[Finding]:
    """What goes now, at most `MAX_DELETED`, longest unused first; nothing if it is too much.

    Deployments go before the clusters and endpoints that were found later, and what Azure did not
    delete before keeps nothing else from going.
    """
    if too_many(findings, total):
        return []
    ripe = (f for f in findings if not f.left and f.told_at and now >= f.due(grace))
    turns = sorted(ripe, key=lambda each: (bool(each.stuck), each.since, each.resource))
    return turns[:MAX_DELETED]


def too_many(findings: Iterable[Finding], total: int) -> str:
    """Why nothing goes at all, empty if it may."""
    going = sum(not finding.left for finding in findings)
    if going <= FEW or going * 100 <= total * MAX_SHARE_PERCENT:
        return ""
    return (
        f"{going} of the {total} resources with TuneOps's tags would go, more than "
        f"{MAX_SHARE_PERCENT}%: nothing is deleted. If they are superfluous, delete some by hand"
    )


def told(findings: Iterable[Finding], became: Mapping[str, Outcome]) -> tuple[Finding, ...]:
    """The findings with what became of their messages; what nobody took is to be told again."""
    return tuple(_told(finding, became.get(finding.message)) for finding in findings)


def _told(finding: Finding, became: Outcome | None) -> Finding:
    if finding.told_at or not finding.message:
        return finding
    if became and became.sent_at:
        return finding.replace(told_at=became.sent_at)
    return finding if became and became.owed else finding.replace(message="")
