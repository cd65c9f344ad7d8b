"""The queue that all work goes through. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tuneops.doctor.finding import Finding, failed, ok, skipped
from tuneops.doctor.judging.site import Site, grant
from tuneops.doctor.judging.storage import Account
from tuneops.permissions.roles import QUEUES

LATE = timedelta(minutes=30)
MAX_NAMED = 5
SENDER = QUEUES.name


@dataclass(frozen=True)
class Waiting:
    """A message that is due: what it asks for, since when it is on the queue.

    `at_once`: it was sent without a delay, so that it is due since then.
    """

    what: str
    since: datetime
    at_once: bool


def judge_exists(there: bool, queue: str, account: Account) -> Finding:
    """Whether the queue is there."""
    where = f"queue {queue} of {account.name}"
    if there:
        return ok("queues.exists", "is there", where)
    mend = f"az storage queue create --name {queue} --account-name {account.name} --auth-mode login"
    return failed("queues.exists", "there is no such queue", mend, where)


def judge_hidden(queue: str, account: Account) -> Finding:
    """What is said of a queue that TuneOps may not look at."""
    mend = grant(SENDER, account.object_id, account.id)
    said = "TuneOps may not read it, or the account's network does not let the app in"
    return failed("queues.exists", said, mend, f"queue {queue} of {account.name}")


def judge_send(error: str, queue: str, account: Account) -> Finding:
    """Whether a message could be sent and taken back."""
    where = f"queue {queue} of {account.name}"
    if error:
        mend = grant(SENDER, account.object_id, account.id)
        return failed("queues.send", f"no message can be sent: {error}", mend, where)
    return ok("queues.send", "messages can be sent", where)


def judge_poison(count: int, named: Iterable[str], queue: str, account: Account) -> Finding:
    """Whether messages were given up, as handling them failed each time."""
    where = f"queue {queue}-poison of {account.name}"
    if not count:
        return ok("queues.poison", "no message was given up", where)
    some = ", ".join(list(named)[:MAX_NAMED])
    mend = (
        "the app's log says why they failed; what they asked for the timer asks for again, so once "
        f"that is mended: az storage message clear --queue-name {queue}-poison "
        f"--account-name {account.name} --auth-mode login"
    )
    said = f"{count} {'message was' if count == 1 else 'messages were'} given up ({some})"
    return failed("queues.poison", said, mend, where)


def judge_consumed(
    waiting: Iterable[Waiting], now: datetime, queue: str, account: Account, site: Site
) -> Finding:
    """Whether messages are taken: one that was due at once does not lie there for long.

    Those sent with a delay do not tell how long they are due.
    """
    check, where = "queues.consumed", f"queue {queue} of {account.name}"
    due = [each for each in waiting if each.at_once]
    oldest = min(due, key=lambda each: each.since, default=None)
    if oldest is None:
        return ok(check, "nothing waits that is due at once", where)
    age = now - oldest.since
    said = f"the oldest message ({oldest.what}) waits for {_minutes(age)}"
    if age < LATE:
        return ok(check, said, where)
    mend = (
        f"see that the function reconcile is enabled and runs (az functionapp function show --name "
        f"{site.name} --resource-group {site.resource_group} --function-name reconcile), and that "
        "AzureWebJobsStorage names this account"
    )
    return failed(check, said, mend, where)


def skipped_all(queue: str, account: Account) -> list[Finding]:
    """What is said of the rest where there is no queue to look at."""
    where = f"queue {queue} of {account.name}"
    return [skipped(check, "no queue", where) for check in ("queues.send", "queues.consumed")]


def _minutes(age: timedelta) -> str:
    return f"{max(age, timedelta(0)).total_seconds() / 60:.0f} minutes"
