"""The decision when something else is desired than what a release was begun with."""

from dataclasses import replace

import pytest

from tests.deciding import (
    BY_ORDER,
    DESIRED,
    FINISHES,
    GONE,
    LARGE,
    LIMITED,
    NAME,
    NEW,
    NOW,
    PROTECTED,
    READY,
    READY_CLUSTER,
    RESIZE,
    RETAINED,
    RETRAIN,
    RUNNING,
    SOURCE,
    SUSPENDED,
    at,
    endpoint,
    matches,
    sees,
)
from tuneops import actions
from tuneops.decide import decide
from tuneops.desired import Desired
from tuneops.observed import Cluster, Job, Observed
from tuneops.release import Phase, Release


def superseded(release: Release) -> Release:
    return release.advance(Phase.SUPERSEDED, NOW, "")


OUTDATED = superseded(at(Phase.TRAINING))
"""Something else was wanted while its job ran."""
LEFT_ONE = NEW.replace(left_job=READY.job_name)
"""It prepares its data while the job of the one before it runs on."""
PLANNED = LEFT_ONE.replace(data=READY.data, training=READY.training)
FAILED_EARLY = LEFT_ONE.advance(Phase.FAILED, NOW, "no such compute")
UNNOTED = READY.advance(Phase.TRAINING, NOW, "")
"""It has submitted its job, and crashed before it could write that down."""


@pytest.mark.parametrize(
    ("desired", "release", "observed", "expected"),
    [
        pytest.param(DESIRED.replace(source=None), None, Observed(), actions.Idle, id="no-data"),
        pytest.param(DESIRED, None, Observed(), actions.StartRelease(), id="data-has-come"),
        pytest.param(
            RETRAIN, at(Phase.TRAINING), RUNNING, Phase.SUPERSEDED, id="training-is-outdated"
        ),
        pytest.param(
            RETRAIN, UNNOTED, RUNNING, actions.NoteSubmission(), id="outdated-before-it-is-told"
        ),
        pytest.param(
            GONE, UNNOTED, RUNNING, actions.NoteSubmission(), id="removed-before-it-is-told"
        ),
        pytest.param(
            RETRAIN,
            UNNOTED,
            Observed(job=Job("Running", "0")),
            Phase.SUPERSEDED,
            id="outdated-with-another's-job",
        ),
        pytest.param(
            RESIZE, at(Phase.TRAINING), RUNNING, Phase.SUPERSEDED, id="training-is-still-wanted"
        ),
        pytest.param(
            DESIRED.replace(config=LIMITED),
            at(Phase.TRAINING),
            RUNNING,
            Phase.SUPERSEDED,
            id="training-may-take-less-or-more-time",
        ),
        pytest.param(
            RETRAIN, at(Phase.SUPERSEDED), Observed(), actions.StartRelease(), id="make-way"
        ),
        pytest.param(
            RETRAIN, at(Phase.LIVE), sees(), actions.StartRelease(), id="live-is-outdated"
        ),
        pytest.param(
            RETRAIN, at(Phase.LIVE), Observed(), actions.PromoteRelease(), id="note-it-first"
        ),
        pytest.param(
            RETRAIN,
            at(Phase.SHIFTING),
            sees(endpoint=endpoint(NAME)),
            actions.ShiftTraffic(),
            id="a-shift-is-finished",
        ),
        pytest.param(
            DESIRED.replace(source=SOURCE.replace(version="2")),
            at(Phase.FAILED),
            sees(),
            actions.StartRelease(),
            id="new-data-after-a-failure",
        ),
        pytest.param(GONE, at(Phase.TRAINING), RUNNING, Phase.SUPERSEDED, id="retire-training"),
        pytest.param(
            GONE,
            at(Phase.LIVE),
            sees(endpoint=endpoint(NAME, traffic=NAME)),
            actions.DeleteEndpoint(READY.endpoint),
            id="retire-live",
        ),
        pytest.param(GONE, at(Phase.LIVE), sees(), Phase.RETIRED, id="retired"),
        pytest.param(
            GONE, LARGE, sees(job=Job("Running", "1")), Phase.SUPERSEDED, id="retire-preparing"
        ),
        pytest.param(
            GONE,
            at(Phase.LIVE),
            sees(cluster=Cluster("c", "Succeeded", min_nodes=1, ours=True)),
            actions.ReleaseNodes(),
            id="nodes-are-let-go",
        ),
        pytest.param(GONE, at(Phase.RETIRED), sees(), actions.Idle, id="stays-retired"),
        pytest.param(
            GONE.replace(removed=PROTECTED),
            at(Phase.LIVE),
            sees(endpoint=endpoint(NAME, traffic=NAME)),
            actions.Wait,
            id="protected",
        ),
        pytest.param(
            GONE.replace(removed=RETAINED),
            at(Phase.LIVE),
            sees(endpoint=endpoint(NAME, traffic=NAME)),
            Phase.RETIRED,
            id="retained",
        ),
        pytest.param(
            GONE.replace(removed=RETAINED),
            at(Phase.TRAINING),
            RUNNING,
            Phase.SUPERSEDED,
            id="retained-but-no-job",
        ),
        pytest.param(SUSPENDED, None, Observed(), actions.Idle, id="suspended-before-the-first"),
        pytest.param(SUSPENDED, at(Phase.TRAINING), RUNNING, actions.Idle, id="suspended"),
        pytest.param(
            RETRAIN.replace(**BY_ORDER),
            at(Phase.TRAINING),
            RUNNING,
            actions.Idle("suspended by Ada"),
            id="suspended-by-an-order",
        ),
        pytest.param(
            GONE.replace(**BY_ORDER),
            at(Phase.TRAINING),
            RUNNING,
            actions.Idle("suspended by Ada"),
            id="suspended-before-it-was-removed",
        ),
        pytest.param(
            RETRAIN.replace(config=FINISHES),
            at(Phase.TRAINING),
            RUNNING,
            actions.Wait,
            id="training-is-finished-first",
        ),
        pytest.param(
            RETRAIN.replace(config=FINISHES),
            at(Phase.LIVE),
            sees(),
            actions.StartRelease(),
            id="live-is-finished",
        ),
        pytest.param(DESIRED, at(Phase.RETIRED), sees(), actions.StartRelease(), id="comes-back"),
    ],
)
def test_changes_of_what_is_desired(
    desired: Desired, release: Release | None, observed: Observed, expected: object
) -> None:
    action = decide(desired, release, observed, NOW)
    assert matches(action, expected), action


@pytest.mark.parametrize("phase", [Phase.LIVE, Phase.FAILED])
def test_a_newer_base_model_is_trained_on_where_the_config_follows_it(phase: Phase) -> None:
    config = DESIRED.config
    assert config is not None
    follow = config.model_copy(
        update={"model": config.model.model_copy(update={"follow": "latest"})}
    )
    desired = DESIRED.replace(config=follow)
    release = at(phase, config=follow, fingerprint=desired.fingerprint)
    observed = sees(endpoint=endpoint(NAME, traffic=NAME), newest_base_model="m2")
    assert decide(desired, release, observed, NOW) == actions.StartRelease()
    unchanged = replace(observed, newest_base_model="m")
    assert isinstance(decide(desired, release, unchanged, NOW), actions.Idle)


@pytest.mark.parametrize(
    ("release", "observed", "expected"),
    [
        pytest.param(OUTDATED, RUNNING, actions.CancelJob(), id="it-runs"),
        pytest.param(superseded(LARGE), RUNNING, actions.CancelJob(), id="it-prepares-data"),
        pytest.param(at(Phase.TRAINING), RUNNING, Phase.SUPERSEDED, id="its-release-ends-first"),
        pytest.param(
            OUTDATED.replace(cancelled_job=True), RUNNING, Phase.RETIRED, id="cancelled-already"
        ),
        pytest.param(
            at(Phase.TRAINING), replace(RUNNING, shares_job=True), Phase.RETIRED, id="others-wait"
        ),
        pytest.param(
            OUTDATED, replace(RUNNING, shares_job=True), Phase.RETIRED, id="others-wait-still"
        ),
        pytest.param(
            at(Phase.TRAINING),
            Observed(job=Job("Completed", "1")),
            Phase.RETIRED,
            id="it-has-ended",
        ),
        pytest.param(at(Phase.TRAINING), Observed(), Phase.RETIRED, id="there-is-none"),
        pytest.param(at(Phase.EVALUATING), RUNNING, Phase.RETIRED, id="nobody-waits-for-it"),
    ],
)
def test_a_job_that_nobody_needs_is_cancelled_once(
    release: Release, observed: Observed, expected: object
) -> None:
    action = decide(GONE, release, observed, NOW)
    assert matches(action, expected), action


@pytest.mark.parametrize(
    ("desired", "observed", "expected"),
    [
        pytest.param(RETRAIN, RUNNING, actions.CancelJob(), id="it-runs"),
        pytest.param(RETRAIN.replace(source=None), RUNNING, actions.CancelJob(), id="without-data"),
        pytest.param(
            RETRAIN, replace(RUNNING, rejected="no"), actions.CancelJob(), id="a-rejected-one"
        ),
        pytest.param(
            RETRAIN, Observed(job=Job("Completed", "1")), actions.StartRelease(), id="it-has-ended"
        ),
        pytest.param(RESIZE, RUNNING, actions.StartRelease(), id="it-is-waited-for-again"),
        pytest.param(DESIRED, RUNNING, actions.StartRelease(), id="it-is-wanted-again"),
    ],
)
def test_a_job_that_was_left_to_the_next_release_is_cancelled_if_that_trains_otherwise(
    desired: Desired, observed: Observed, expected: object
) -> None:
    action = decide(desired, OUTDATED, observed, NOW)
    assert matches(action, expected), action


@pytest.mark.parametrize(
    ("desired", "release", "expected"),
    [
        pytest.param(DESIRED, LEFT_ONE, actions.PrepareData(), id="it-may-come-to-wait-for-it"),
        pytest.param(DESIRED, PLANNED, Phase.TRAINING, id="it-goes-on-with-it"),
        pytest.param(
            DESIRED,
            PLANNED.replace(left_job=f"{READY.job_name}-2"),
            Phase.TRAINING,
            id="it-goes-on-with-another-attempt",
        ),
        pytest.param(
            DESIRED, PLANNED.replace(left_job="bot-0"), actions.CancelJob(), id="it-has-another"
        ),
        pytest.param(RESIZE, LEFT_ONE, Phase.SUPERSEDED, id="something-else-is-wanted"),
        pytest.param(
            RESIZE, superseded(LEFT_ONE), actions.StartRelease(), id="it-is-left-to-the-next"
        ),
        pytest.param(
            RETRAIN, superseded(LEFT_ONE), actions.CancelJob(), id="the-next-trains-otherwise"
        ),
        pytest.param(DESIRED, FAILED_EARLY, actions.Idle, id="it-has-failed"),
        pytest.param(RESIZE, FAILED_EARLY, actions.StartRelease(), id="the-next-may-go-on-with-it"),
        pytest.param(RETRAIN, FAILED_EARLY, actions.CancelJob(), id="the-next-may-not"),
        pytest.param(GONE, FAILED_EARLY, actions.CancelJob(), id="removed"),
        pytest.param(
            DESIRED.replace(adopts=1),
            superseded(LEFT_ONE.replace(number=2)),
            actions.CancelJob(),
            id="a-pin-trains-nothing",
        ),
    ],
)
def test_a_job_is_left_from_release_to_release_until_one_goes_on_with_it(
    desired: Desired, release: Release, expected: object
) -> None:
    action = decide(desired, release, replace(RUNNING, cluster=READY_CLUSTER), NOW)
    assert matches(action, expected), action


@pytest.mark.parametrize(
    ("release", "job"),
    [
        pytest.param(at(Phase.TRAINING), READY.job_name, id="training"),
        pytest.param(OUTDATED, READY.job_name, id="superseded-while-it-trained"),
        pytest.param(superseded(LARGE), LARGE.data_job_name, id="while-it-prepared-data"),
        pytest.param(superseded(at(Phase.LIVE)), "", id="it-was-live"),
        pytest.param(OUTDATED.replace(cancelled_job=True), "", id="cancelled"),
        pytest.param(OUTDATED.advance(Phase.RETIRED, NOW, ""), "", id="retired"),
        pytest.param(NEW, "", id="without-a-job"),
        pytest.param(LEFT_ONE, READY.job_name, id="left-to-it"),
        pytest.param(superseded(LEFT_ONE), READY.job_name, id="left-to-it-and-by-it"),
        pytest.param(FAILED_EARLY, READY.job_name, id="left-by-one-that-failed"),
        pytest.param(superseded(LEFT_ONE).without_job(), "", id="left-and-cancelled"),
        pytest.param(OUTDATED.without_job(), "", id="cancelled-by-now"),
        pytest.param(at(Phase.FAILED), "", id="it-failed-later"),
    ],
)
def test_the_job_that_may_run_for_a_release(release: Release, job: str) -> None:
    assert release.running_job == job


def test_another_job_that_was_left_is_cancelled_and_its_own_may_still_be() -> None:
    freed = PLANNED.replace(left_job="bot-0").without_job()
    assert (freed.left_job, freed.cancelled_job) == ("", False)
    training = PLANNED.advance(Phase.TRAINING, NOW, "")
    assert (training.left_job, training.running_job) == ("", READY.job_name)
    assert training.without_job().cancelled_job
