"""What happens next, in one sentence; or what somebody has to do. Pure."""

from tuneops.difference import Answer
from tuneops.estimate_text import duration
from tuneops.evaluation.checks import failures
from tuneops.release import Phase, Release

GOES_ON = "it goes on by itself once that is over"
TRIED_AGAIN = "it is tried again by itself, in 10 min at the latest"


def queued(release: Release) -> str:
    """After a release has begun."""
    if release.adopts is not None:
        return "nothing is trained: the model of then is deployed, tested and gets all traffic"
    return "the data is checked, then the pipeline trains"


def submitted(release: Release) -> str:
    """After a job was submitted."""
    forecast = release.forecast
    seconds = forecast.seconds if forecast and forecast.trains else None
    lasts = f" for about {duration(seconds.likely)}" if seconds and seconds.likely else ""
    return f"the pipeline trains{lasts}, then the metrics are checked"


def trained(release: Release) -> str:
    """After the metrics were checked."""
    if failures(release.checks):
        return "the release fails; what is live stays as it is"
    return "the model is registered, deployed without traffic, and asked the smoke test"


def shifting(release: Release) -> str:
    """After the first step of a rollout has its traffic."""
    settings = release.config.rollout
    shares = settings.shares if settings.strategy == "shadow" else settings.shares[1:]
    then = "".join(f"{share}%, " for share in shares).removesuffix(", ")
    steps = f"{then} and then 100%" if then else "100%"
    return f"it gets {steps} of the traffic, after at least {settings.pause_minutes:g} min each"


def live(release: Release, before: Release | None) -> str:
    """After a release has all traffic; `before` is the one that was live."""
    if before is None:
        return ""
    settings = release.config.rollout
    if settings.keep_previous and settings.keep_previous_for_minutes:
        lasts = duration(60.0 * settings.keep_previous_for_minutes)
        return f"the deployment of release {before.number} is kept for {lasts}, then deleted"
    return f"the deployment of release {before.number} is deleted"


def failed(release: Release, before: Release | None) -> str:
    """After a release has failed; `before` is the one that is live."""
    stays = f"release {before.number} stays live" if before else "nothing is live"
    return f"{stays}; {_mend(release)}"


def aborted(live: str) -> str:
    """After a rollout was given up; `live` is the deployment beside it."""
    back = f"all traffic goes back to {live}" if live else "it gets no more traffic"
    return f"{back}, then the release fails"


def awaits_approval(release: Release) -> str:
    """After people were asked."""
    question = release.approval
    settings = release.config.rollout.approval
    order = f"`tuneops approve {release.project}`, or a comment on the pull request"
    if question is None or question.deadline is None:
        return f"it waits for {order}"
    end = "waited for on" if settings and settings.on_timeout == "hold" else "given up"
    by = f"{question.deadline:%Y-%m-%d %H:%M} UTC"
    return f"it waits for {order}; without an answer by {by} it is {end}"


def approved(share: int) -> str:
    """After somebody has approved."""
    return f"it gets {share}% of the traffic" if share else "requests are mirrored to it"


def held(release: Release) -> str:
    """While a step of a rollout can't be judged."""
    order = f"`tuneops approve {release.project}`"
    return f"the traffic stays as it is until the figures tell, or somebody says {order}"


def drifted(answer: Answer) -> str:
    """After a drift was seen."""
    return {
        Answer.HEALING: "it is brought back as git has it, the traffic first",
        Answer.REPORTED: "nothing is changed: set it right, or bring git to it",
        Answer.STOPPED: "find what changes it: it is brought back again once it was right",
    }[answer]


def pinned(project: str) -> str:
    """While git is not followed."""
    return f"git is followed again once it agrees, or after `tuneops rollback {project} --unpin`"


def suspended(project: str) -> str:
    """While all stays as it is."""
    return f"what is live serves on; nothing else goes on before `tuneops resume {project}`"


def resumed() -> str:
    """Once it goes on."""
    return "what waited goes on: drift is healed, and what git and the newest data want is made"


def _mend(release: Release) -> str:
    if release.forbidden:
        return "it begins anew once the policy allows it"
    before = next((e.phase for e in reversed(release.history) if not e.phase.ended), None)
    what = "the data or the config" if before == Phase.PREPARING else "the config or the data"
    return f"mend {what} and bring it anew, or `tuneops retry {release.project}`"
