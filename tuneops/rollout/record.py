"""A release with what a rollout has done and seen written down, and told to people. Pure."""

from collections.abc import Mapping
from datetime import datetime

from tuneops.actions import Abort, BeginStep, Hold, ReadFigures, ShareTraffic
from tuneops.analysis import DeploymentFigures, analyse
from tuneops.notify import figures, following
from tuneops.notify.messages import tell
from tuneops.release import Phase, Release
from tuneops.rollout.progress import Judgement, Progress
from tuneops.rollout.question import Question
from tuneops.rollout.steps import next_move, steps_of
from tuneops.rollout.text import judgement_text, share_text

TOLD_AFTER = 3
"""So often giving traffic back has come to nothing when people are told; it is tried on."""


def shared(release: Release, action: ShareTraffic, now: datetime) -> Release:
    """With the step's traffic being set: what was seen before that does not count.

    If somebody was still asked about this very step, nobody has to be any more.
    """
    if not action.share:
        return _given_back(release, action, now) if action.again else release
    progress, question = _of(release), release.approval
    changed = progress.replace(since=None, judged=None, shifts=progress.shifts + 1)
    level = 0 if action.mirrored else action.share
    moot = question and question.is_open and question.share == level
    return release.replace(rollout=changed, approval=None if moot else question)


def _given_back(release: Release, action: ShareTraffic, now: datetime) -> Release:
    """With one more try to give the traffic back, which Azure has failed at before."""
    release = release.replace(repairs=release.repairs + 1)
    if release.repairs != TOLD_AFTER:
        return release
    text = (
        f"endpoint {release.endpoint}: Azure fails at giving the traffic of "
        f"{release.deployment_name} back to {action.live}; it is tried on, see why in the studio"
    )
    after = "giving it back is tried again by itself"
    return tell(release, "held", text, now, occasion="back", following=after)


def begun(release: Release, action: BeginStep, now: datetime) -> Release:
    """With a step whose traffic is in place; people are told of the first."""
    progress = _of(release)
    said = share_text(action.share, mirrored=action.mirrored)
    text = f"{said} to {release.deployment_name}, {action.live} is live"
    before = f" (after {judgement_text(progress.done[-1])})" if progress.done else ""
    release = release.advance(Phase.SHIFTING, now, f"{text}{before}")
    release = release.replace(rollout=progress.replace(since=now))
    if progress.step:
        return release
    measured = (figures.against_live(release), figures.scores(release))
    return tell(
        release,
        "shifting",
        f"endpoint {release.endpoint}: {text}",
        now,
        figure="; ".join(filter(None, measured)),
        following=following.shifting(release),
    )


def judged(
    release: Release, action: ReadFigures, figures: Mapping[str, DeploymentFigures]
) -> Release:
    """With what the figures of the step say."""
    progress = _of(release)
    step = steps_of(release)[progress.step]
    new, live = figures[release.deployment_name], figures[action.live]
    judgement = Judgement(
        share=step.share,
        mirrored=step.mirrored,
        since=action.since,
        until=action.until,
        candidate=new,
        live=live,
        analysis=analyse(new, live, release.config.rollout.analysis),
    )
    return release.replace(rollout=progress.replace(judged=judgement))


def passed(release: Release) -> Release:
    """At the next step; what was asked before that and nobody has answered is asked no more."""
    progress, question = _of(release), release.approval
    done = (*progress.done, progress.judged) if progress.judged else progress.done
    return release.replace(
        rollout=Progress(step=progress.step + 1, done=done),
        approval=None if question and question.is_open else question,
    )


def held(release: Release, action: Hold, now: datetime) -> Release:
    """With a step that is held until the figures tell or a person does; people are told."""
    progress, share = _of(release), next_move(release).after
    said = f"{action.reason}: held until the figures tell or somebody says 'tuneops approve'"
    release = release.advance(Phase.SHIFTING, now, said)
    question = release.approval if release.approval and release.approval.share == share else None
    release = release.replace(
        rollout=progress.replace(held=True), approval=question or Question(share=share, asked=now)
    )
    return tell(
        release,
        "held",
        action.reason,
        now,
        occasion=f"step{progress.step}@{now.isoformat()}",
        figure=judgement_text(progress.judged) if progress.judged else "",
        following=following.held(release),
    )


def aborted(release: Release, action: Abort) -> Release:
    """Given up; the traffic goes back next."""
    return release.replace(rollout=_of(release).replace(aborted=action.reason))


def last_seen(release: Release) -> str:
    """What was seen at the last step, for the end of a rollout; empty without steps."""
    done = _of(release).done
    return f" (after {judgement_text(done[-1])})" if done else ""


def _of(release: Release) -> Progress:
    return release.rollout or Progress()
