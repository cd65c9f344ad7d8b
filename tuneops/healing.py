"""What is done about drift: told once, then healed or left as it is. Pure."""

from datetime import datetime, timedelta
from typing import Literal

from tuneops import names
from tuneops.actions import Action, Advance, EndDrift, Heal, NoteDrift, Wait
from tuneops.difference import Answer, Difference, Drift, Part
from tuneops.drift import differences
from tuneops.notify import following
from tuneops.notify.messages import tell
from tuneops.observed import CANCELED, FAILED, SUCCEEDED, Endpoint, Observed
from tuneops.patience import SLOW
from tuneops.release import Phase, Release

MAX_HEALS = 3
WINDOW = timedelta(hours=1)
"""In that time what drifts is healed so many times; after that people have to look."""
SETTLES = timedelta(minutes=1)
"""What still differs so long after it was brought back has not held."""
_GONE = frozenset({Part.ENDPOINT_GONE, Part.DEPLOYMENT_GONE})

Mode = Literal["heal", "report"]


def on_drift(
    mode: Mode, release: Release, observed: Observed, now: datetime, *, newest: bool = True
) -> Action | None:
    """What drift of the live release asks for; None when there is nothing to do about it.

    What the policy does not allow is not brought back, only reported; nor is what has gone when the
    live release is not the `newest`, as it takes a release of its own to deploy it again.
    """
    pending = _under_way(release, observed.endpoint)
    if pending:
        return pending
    found, noted = differences(release, observed), release.drift
    if not found:
        return EndDrift() if noted else None
    mode = "report" if observed.verdict.violations else mode
    due = _first(found, frozenset() if newest else _GONE)
    again = due is not None and _has_not_held(due, release, now)
    answer = _answer(mode if due else "report", found, release, now, again=again)
    same = noted is not None and noted.answer == answer and noted.has(found) and not again
    if not same or (answer == Answer.REPORTED and noted and set(found) != set(noted.differences)):
        return NoteDrift(found, answer)
    return _heal(due, release) if due and answer == Answer.HEALING else None


def _under_way(release: Release, endpoint: Endpoint | None) -> Wait | None:
    """What is being changed is judged when that has ended."""
    if endpoint is None:
        return None
    if endpoint.state not in (SUCCEEDED, FAILED, CANCELED):
        return Wait(f"endpoint {endpoint.name} is {endpoint.state}", patience=SLOW)
    deployment = endpoint.deployment(release.deployment_name)
    if deployment and not deployment.settled:
        return Wait(f"deployment {deployment.name} is {deployment.state}", patience=SLOW)
    return None


def _first(found: tuple[Difference, ...], but: frozenset[Part]) -> Difference | None:
    """What is brought back next."""
    order = list(Part)
    due = [difference for difference in found if difference.part not in {Part.FOREIGN, *but}]
    return min(due, key=lambda difference: order.index(difference.part), default=None)


def _has_not_held(due: Difference, release: Release, now: datetime) -> bool:
    """Whether it was brought back since the drift was noted, and differs all the same."""
    noted = release.drift
    if noted is None or noted.answer != Answer.HEALING:
        return False
    if due.part in _GONE:
        came = release.entered(Phase.LIVE)
        return came is not None and came > noted.noted_at
    begun = noted.begun.get(due.part)
    return begun is not None and now - begun >= SETTLES


def _answer(
    mode: Mode, found: tuple[Difference, ...], release: Release, now: datetime, *, again: bool
) -> Answer:
    if mode == "report":
        return Answer.REPORTED
    noted = release.drift
    if noted and noted.has(found) and not again and noted.answer != Answer.REPORTED:
        return noted.answer
    return Answer.HEALING if len(_recent(release, now)) < MAX_HEALS else Answer.STOPPED


def _heal(due: Difference, release: Release) -> Action:
    if due.part in _GONE:
        return Advance(Phase.DEPLOYING, str(due))
    if release.drift and due.part in release.drift.begun:
        return Wait(f"{due}: it is being brought back", patience=SLOW)
    return Heal(due.part)


def _recent(release: Release, now: datetime) -> tuple[datetime, ...]:
    return tuple(at for at in release.heals if now - at < WINDOW)


def is_news(release: Release, action: NoteDrift) -> bool:
    """Whether people have not been told of this yet."""
    noted = release.drift
    return noted is None or noted.answer != action.answer or not noted.has(action.differences)


def note(release: Release, action: NoteDrift, changes: tuple[str, ...], now: datetime) -> Release:
    """The release with its drift written down, and told if it is news.

    `changes` say who changed what last. A report is told once a day for each set of differences.
    """
    news, before = is_news(release, action), release.drift
    healing = action.answer == Answer.HEALING
    drift = Drift(
        differences=action.differences,
        answer=action.answer,
        since=before.since if before else now,
        noted_at=now,
        changes=changes if news or before is None else before.changes,
    )
    heals = (*_recent(release, now), now) if healing else release.heals
    release = release.replace(drift=drift, heals=heals)
    if not news:
        return release
    if action.answer != Answer.REPORTED:
        release = _enter(release, f"drifted: {text(drift)}", now)
    occasion = names.digest(sorted(str(difference) for difference in drift.differences))
    moment = f"{drift.since:%Y-%m-%d}" if action.answer == Answer.REPORTED else now.isoformat()
    return tell(
        release,
        "drifted",
        text(drift),
        now,
        occasion=f"{occasion}:{moment}",
        why="; ".join(drift.changes) or "who changed it is not known",
        following=following.drifted(drift.answer),
    )


def begun(release: Release, part: Part, now: datetime) -> Release:
    """The release with the note that a part of its drift is being brought back."""
    drift = release.drift
    if drift is None:
        return release
    return release.replace(drift=drift.replace(begun={**drift.begun, part: now}))


def over(release: Release, now: datetime) -> Release:
    """The release without its drift; its history tells of what was healed."""
    drift = release.drift
    release = release.replace(drift=None)
    if drift is None or drift.answer == Answer.REPORTED:
        return release
    release = _enter(release, "what had drifted is as it should be", now)
    return tell(
        release,
        "healed",
        f"as it should be again: {', '.join(each.what for each in drift.differences)}",
        now,
        occasion=drift.since.isoformat(),
        why=f"it had drifted since {drift.since:%Y-%m-%d %H:%M} UTC",
    )


def text(drift: Drift) -> str:
    """The differences, who made them as far as that is known, and what is done about them."""
    said = "; ".join(str(difference) for difference in drift.differences)
    who = f" ({'; '.join(drift.changes)})" if drift.changes else ""
    return f"{said}{who}: {_DONE[drift.answer]}"


def _enter(release: Release, reason: str, now: datetime) -> Release:
    links = release.history[-1].links if release.history else {}
    return release.advance(Phase.LIVE, now, reason, links)


_DONE = {
    Answer.HEALING: "it is being brought back",
    Answer.REPORTED: "it is left as it is",
    Answer.STOPPED: f"it is left as it is, for it was brought back {MAX_HEALS} times in an hour",
}
