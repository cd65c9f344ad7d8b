"""Testing: what a deployment has to answer before it gets traffic. Pure."""

from datetime import datetime, timedelta

from tuneops.actions import Action, Advance, Fail, RunSmokeTest, Wait
from tuneops.behaviour.text import told
from tuneops.observed import Observed
from tuneops.phases.behaving import behave
from tuneops.release import Phase, Release

SMOKE_PAUSE = timedelta(seconds=5)


def ask(release: Release, observed: Observed, now: datetime) -> Action:
    """Ask the deployment the questions of the smoke test, then the evaluation sets."""
    smoke, settings = release.smoke, release.config.smoke_test
    asked = min(settings.samples, release.data.questions if release.data else 1)
    if len(smoke.answers) >= asked:
        if pending := behave(release, observed, now):
            return pending
        slowest = max(answer.seconds for answer in smoke.answers)
        questions = "1 question" if asked == 1 else f"{asked} questions"
        passed = f"the smoke test answered {questions} in at most {slowest:.1f} s"
        return Advance(Phase.SHIFTING, "; ".join(filter(None, (passed, told(release.behaviour)))))
    failed = smoke.failed
    if failed is None:
        return RunSmokeTest()
    if smoke.attempts >= settings.attempts:
        said = f"status {failed.status}, answer {failed.answer[:200]!r}"
        return Fail(f"smoke test: {'; '.join(failed.failures) or 'failed'} ({said})")
    if now - failed.at < SMOKE_PAUSE:
        return Wait("the smoke test is tried again", SMOKE_PAUSE.total_seconds())
    return RunSmokeTest()
