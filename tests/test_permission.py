"""Decisions under a policy: what is not allowed ends before it costs, what is frozen waits."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.deciding import (
    CREATES_CLUSTER,
    DESIRED,
    LARGE,
    NAME,
    NEW,
    NOW,
    READY,
    READY_CLUSTER,
    at,
    endpoint,
    matches,
    sees,
)
from tests.simulation.people import FREEZE
from tests.test_decide import TRANSITIONS
from tuneops import actions
from tuneops.decide import decide
from tuneops.difference import Answer
from tuneops.observed import Job, Observed
from tuneops.policy import Verdict
from tuneops.release import Phase, Release

FORBIDDEN = Verdict(("compute.nodes: 9 is too much", "model.name: x is not allowed"))
FROZEN = Verdict(freeze=FREEZE)
LIVE = sees(endpoint=endpoint(NAME, traffic=NAME))
REFUSED = actions.Fail(
    "the policy does not allow it: compute.nodes: 9 is too much; model.name: x is not allowed",
    by_policy=True,
)
THAW = actions.Wait("frozen until 2027-01-01 00:00 UTC: a year off", 365 * 24 * 3600.0)
THAW_TOLD = replace(THAW, patience=timedelta(0))
CHANGED = DESIRED.replace(path="finetune/other.yaml", source=DESIRED.source.replace(version="2"))
FAILED = at(Phase.FAILED).replace(forbidden=True)


@pytest.mark.parametrize(
    ("release", "observed", "forbidden", "frozen"),
    [
        pytest.param(None, sees(), actions.StartRelease(), THAW, id="first"),
        pytest.param(NEW, sees(), REFUSED, actions.PrepareData(), id="new"),
        pytest.param(LARGE, sees(cluster=READY_CLUSTER), REFUSED, THAW_TOLD, id="data-job"),
        pytest.param(
            READY.replace(config=CREATES_CLUSTER), sees(), REFUSED, THAW_TOLD, id="cluster"
        ),
        pytest.param(READY, sees(cluster=READY_CLUSTER), REFUSED, Phase.TRAINING, id="planned"),
        pytest.param(at(Phase.TRAINING), sees(), REFUSED, THAW_TOLD, id="job"),
        pytest.param(
            at(Phase.TRAINING), sees(job=Job("Running", "1")), actions.Wait, actions.Wait, id="runs"
        ),
        pytest.param(
            at(Phase.TRAINING),
            sees(job=Job("Failed", "7")),
            actions.NextAttempt(),
            actions.NextAttempt(),
            id="retried",
        ),
        pytest.param(
            at(Phase.DEPLOYING),
            sees(endpoint=endpoint()),
            REFUSED,
            actions.CreateDeployment(),
            id="deployment",
        ),
        pytest.param(
            NEW.replace(adopts=1), sees(), REFUSED, actions.AdoptModel(1), id="adopts-a-model"
        ),
        pytest.param(at(Phase.LIVE), LIVE, actions.Idle, actions.Idle, id="live"),
        pytest.param(FAILED, sees(), actions.Idle, THAW, id="failed-by-policy"),
    ],
)
def test_decisions_under_a_policy(
    release: Release | None, observed: Observed, forbidden: object, frozen: object
) -> None:
    for verdict, expected in ((FORBIDDEN, forbidden), (FROZEN, frozen)):
        desired = DESIRED if release is None else DESIRED.replace(config=release.config)
        known = release and release.replace(fingerprint=desired.fingerprint)
        action = decide(desired, known, replace(observed, verdict=verdict), NOW)
        assert matches(action, expected), action


def test_what_the_policy_allows_again_is_tried_again() -> None:
    assert decide(DESIRED, FAILED, sees(), NOW) == actions.StartRelease()
    assert isinstance(decide(DESIRED, at(Phase.FAILED), sees(), NOW), actions.Idle)


def test_while_it_is_frozen_a_newer_config_ends_nothing_that_is_under_way() -> None:
    running = sees(job=Job("Running", "1"))
    assert matches(decide(CHANGED, at(Phase.TRAINING), running, NOW), Phase.SUPERSEDED)
    frozen = replace(running, verdict=FROZEN)
    assert isinstance(decide(CHANGED, at(Phase.TRAINING), frozen, NOW), actions.Wait)
    done = sees(job=Job("Completed", "1"), verdict=FROZEN)
    assert matches(decide(CHANGED, at(Phase.TRAINING), done, NOW), Phase.EVALUATING)


def test_while_it_is_frozen_a_newer_config_waits_beside_what_is_live() -> None:
    assert decide(CHANGED, at(Phase.LIVE), LIVE, NOW) == actions.StartRelease()
    assert decide(CHANGED, at(Phase.LIVE), replace(LIVE, verdict=FROZEN), NOW) == THAW
    superfluous = sees(endpoint=endpoint("d-old", NAME, traffic=NAME), verdict=FROZEN)
    assert decide(CHANGED, at(Phase.LIVE), superfluous, NOW) == actions.DeleteDeployment("d-old")


@given(st.sampled_from([case.values for case in TRANSITIONS]), st.sampled_from([FORBIDDEN, FROZEN]))
def test_a_policy_only_ever_ends_or_delays(case: tuple[object, ...], verdict: Verdict) -> None:
    release, observed = case[:2]
    assert isinstance(release, Release)
    assert isinstance(observed, Observed)
    desired = DESIRED.replace(config=release.config)
    release = release.replace(fingerprint=desired.fingerprint)
    free = decide(desired, release, observed, NOW)
    held = decide(desired, release, replace(observed, verdict=verdict), NOW)
    drifted = isinstance(free, actions.NoteDrift)
    reported = replace(free, answer=Answer.REPORTED) if drifted else free
    assert held in (free, reported, REFUSED, THAW_TOLD)
