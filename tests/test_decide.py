"""The decision: its transitions as a table; see `test_simulation` for random histories."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.deciding import (
    ANSWER,
    BEFORE,
    CREATES_CLUSTER,
    DATA,
    DESIRED,
    LARGE,
    LIMITED,
    NAME,
    NEW,
    NOW,
    OLD,
    OVERRUN,
    READY,
    READY_CLUSTER,
    SERVERLESS,
    TAGGED,
    THREE_SAMPLES,
    UNREGISTERED,
    WORSE,
    WRONG,
    at,
    endpoint,
    endpoint_with,
    matches,
    ran_over,
    sees,
    since,
    smoked,
    tried,
    weighed,
)
from tuneops import actions, names
from tuneops.decide import decide
from tuneops.observed import Cluster, Deployment, Endpoint, Job, Observed
from tuneops.phases.provisioning import MAX_RETRIES
from tuneops.phases.training import METRICS_PATIENCE, METRICS_PAUSE
from tuneops.release import Metrics, Phase, Release

TRANSITIONS = [
    pytest.param(NEW, Observed(), actions.PrepareData(), id="new"),
    pytest.param(
        LARGE, Observed(cluster=READY_CLUSTER), actions.SubmitDataJob(), id="data-is-large"
    ),
    pytest.param(LARGE, Observed(), actions.Fail, id="data-is-large-and-no-cluster"),
    pytest.param(
        LARGE.replace(config=SERVERLESS),
        Observed(),
        actions.SubmitDataJob(),
        id="data-is-large-and-serverless",
    ),
    pytest.param(LARGE, Observed(job=Job("Running", "1")), actions.Wait, id="data-job-runs"),
    pytest.param(
        LARGE, Observed(job=Job("Completed", "1")), actions.PrepareData(), id="data-job-is-done"
    ),
    pytest.param(
        LARGE, Observed(job=Job("Failed", "1", "boom")), actions.Fail, id="data-job-failed"
    ),
    pytest.param(
        LARGE,
        Observed(job=Job("Failed", "7", "boom")),
        actions.NextDataAttempt(),
        id="an-earlier-release's-data-job-failed",
    ),
    pytest.param(
        NEW.replace(data=UNREGISTERED), Observed(), actions.RegisterData(), id="data-is-ready"
    ),
    pytest.param(NEW.replace(data=DATA), Observed(), actions.PlanTraining(), id="data-is-known"),
    pytest.param(READY, Observed(cluster=READY_CLUSTER), Phase.TRAINING, id="planned"),
    pytest.param(READY, Observed(), actions.Fail, id="no-cluster"),
    pytest.param(
        READY.replace(config=CREATES_CLUSTER),
        Observed(),
        actions.CreateCluster(),
        id="no-cluster-yet",
    ),
    pytest.param(
        READY, Observed(cluster=Cluster("c", "Creating")), actions.Wait, id="cluster-is-coming"
    ),
    pytest.param(
        READY,
        Observed(cluster=Cluster("c", "Failed", "no cores")),
        actions.Fail,
        id="cluster-failed",
    ),
    pytest.param(READY.replace(config=SERVERLESS), Observed(), Phase.TRAINING, id="serverless"),
    pytest.param(
        at(Phase.TRAINING),
        Observed(),
        actions.CreateEndpoint(ahead=True),
        id="no-job-and-no-endpoint",
    ),
    pytest.param(at(Phase.TRAINING), sees(endpoint=endpoint()), actions.SubmitJob(), id="no-job"),
    pytest.param(
        at(Phase.TRAINING).replace(endpoint_begun=True),
        Observed(),
        actions.SubmitJob(),
        id="no-job-and-the-endpoint-is-begun",
    ),
    pytest.param(
        at(Phase.FAILED),
        Observed(endpoint=endpoint()),
        actions.DeleteEndpoint(READY.endpoint),
        id="nothing-has-come-behind-it",
    ),
    pytest.param(
        at(Phase.FAILED),
        Observed(endpoint=endpoint(state="Creating")),
        actions.Wait,
        id="nothing-will-come-behind-it",
    ),
    pytest.param(
        at(Phase.FAILED),
        Observed(endpoint=replace(endpoint(), tags={names.TAG_KEEP: ""})),
        actions.Idle,
        id="somebody-keeps-it",
    ),
    pytest.param(
        at(Phase.FAILED, number=2),
        sees(endpoint=endpoint(), live_deployment=f"{READY.endpoint}/{OLD}"),
        actions.Idle,
        id="what-is-live-has-gone-from-it",
    ),
    pytest.param(
        READY.advance(Phase.TRAINING, NOW, ""),
        Observed(job=Job("Running", "1")),
        actions.NoteSubmission(),
        id="job-was-submitted-before-a-crash",
    ),
    pytest.param(
        at(Phase.TRAINING), Observed(job=Job("Running", "1")), actions.Wait, id="job-runs"
    ),
    pytest.param(
        at(Phase.TRAINING), Observed(job=Job("NotResponding", "1")), actions.Wait, id="job-is-odd"
    ),
    pytest.param(
        at(Phase.TRAINING), Observed(job=Job("Completed", "1")), Phase.EVALUATING, id="job-is-done"
    ),
    pytest.param(
        at(Phase.TRAINING), Observed(job=Job("Failed", "1", "boom")), actions.Fail, id="job-failed"
    ),
    pytest.param(
        at(Phase.TRAINING),
        Observed(job=Job("Canceled", "7")),
        actions.NextAttempt(),
        id="an-earlier-release's-job-ended",
    ),
    pytest.param(
        at(Phase.TRAINING), Observed(job=Job("Running", "7")), actions.Wait, id="job-is-adopted"
    ),
    pytest.param(
        at(Phase.TRAINING, config=LIMITED),
        Observed(job=since(29)),
        actions.Wait,
        id="job-may-run-on",
    ),
    pytest.param(
        at(Phase.TRAINING, config=LIMITED),
        Observed(job=since(30)),
        actions.NoteOverrun(),
        id="job-ran-too-long",
    ),
    pytest.param(
        at(Phase.TRAINING, config=LIMITED),
        Observed(job=since(30, release="7")),
        actions.NoteOverrun(),
        id="adopted-job-ran-too-long",
    ),
    pytest.param(
        at(Phase.TRAINING, config=LIMITED),
        Observed(job=Job("Queued", "1", created=NOW - timedelta(days=9))),
        actions.Wait,
        id="queueing-does-not-count",
    ),
    pytest.param(
        at(Phase.TRAINING),
        Observed(job=since(72 * 60)),
        actions.NoteOverrun(),
        id="job-ran-too-long-by-default",
    ),
    pytest.param(OVERRUN, Observed(job=since(31)), actions.CancelJob(), id="overrun-is-cancelled"),
    pytest.param(
        OVERRUN,
        Observed(job=since(31), shares_job=True),
        ran_over("; it runs on for others that wait for it"),
        id="overrun-and-others-wait",
    ),
    pytest.param(
        OVERRUN.replace(cancelled_job=True),
        Observed(job=since(31, "CancelRequested"), shares_job=True),
        actions.Wait,
        id="overrun-is-being-cancelled",
    ),
    pytest.param(
        OVERRUN, Observed(job=since(31, "Canceled")), ran_over(), id="overrun-was-cancelled"
    ),
    pytest.param(
        OVERRUN,
        Observed(job=since(31, "Canceled", release="7")),
        ran_over(),
        id="adopted-overrun-was-cancelled",
    ),
    pytest.param(
        OVERRUN,
        Observed(job=since(31, "Completed")),
        Phase.EVALUATING,
        id="overrun-came-to-its-end-after-all",
    ),
    pytest.param(
        at(Phase.TRAINING, number=2, config=LIMITED),
        Observed(job=since(31, "Canceled")),
        actions.NextAttempt(),
        id="an-earlier-release's-job-ran-too-long",
    ),
    pytest.param(
        at(Phase.EVALUATING, metrics=None), Observed(), actions.ReadMetrics(), id="no-metrics-yet"
    ),
    pytest.param(at(Phase.EVALUATING), Observed(), actions.KeepChecks, id="metrics-are-there"),
    pytest.param(weighed(at(Phase.EVALUATING)), Observed(), Phase.REGISTERING, id="good"),
    pytest.param(weighed(WORSE), Observed(), Phase.REGISTERING, id="nothing-to-regress-from"),
    pytest.param(WORSE, Observed(live=BEFORE), actions.KeepChecks, id="live-is-compared"),
    pytest.param(
        weighed(WORSE), Observed(live=BEFORE), actions.KeepChecks, id="live-is-another-meanwhile"
    ),
    pytest.param(
        weighed(WORSE, live=BEFORE), Observed(live=BEFORE), actions.Fail, id="it-regressed"
    ),
    pytest.param(
        weighed(WORSE, live=BEFORE, registered=True),
        Observed(live=BEFORE, model_registered=True),
        Phase.REGISTERING,
        id="it-is-a-way-back",
    ),
    pytest.param(
        at(Phase.EVALUATING, metrics=Metrics(read_at=NOW)),
        Observed(),
        actions.Wait,
        id="metrics-may-come",
    ),
    pytest.param(
        at(Phase.EVALUATING, metrics=Metrics(read_at=NOW - METRICS_PAUSE)),
        Observed(),
        actions.ReadMetrics(),
        id="metrics-are-read-again",
    ),
    pytest.param(
        weighed(
            READY.replace(phase=Phase.TRAINING, metrics=Metrics(read_at=NOW)).advance(
                Phase.EVALUATING, NOW - METRICS_PATIENCE, ""
            )
        ),
        Observed(),
        actions.Fail,
        id="metrics-do-not-come",
    ),
    pytest.param(at(Phase.REGISTERING), Observed(), actions.RegisterModel(), id="no-model"),
    pytest.param(
        at(Phase.REGISTERING), Observed(model_registered=True), Phase.DEPLOYING, id="model-is-there"
    ),
    pytest.param(at(Phase.DEPLOYING), sees(), actions.CreateEndpoint(), id="no-endpoint"),
    pytest.param(
        at(Phase.DEPLOYING), sees(endpoint=endpoint(state="Creating")), actions.Wait, id="creating"
    ),
    pytest.param(
        at(Phase.DEPLOYING), sees(endpoint=endpoint(state="Deleting")), actions.Wait, id="deleting"
    ),
    pytest.param(
        tried(Phase.DEPLOYING), sees(endpoint=endpoint(state="Failed")), actions.Fail, id="no-way"
    ),
    pytest.param(
        at(Phase.DEPLOYING),
        sees(endpoint=endpoint(state="Canceled")),
        actions.RepairEndpoint(),
        id="cancelled",
    ),
    pytest.param(
        at(Phase.SHIFTING),
        sees(endpoint=endpoint(NAME, state="Failed")),
        actions.RepairEndpoint(),
        id="shift-has-failed",
    ),
    pytest.param(
        tried(Phase.SHIFTING),
        sees(endpoint=endpoint(NAME, state="Failed")),
        actions.Fail,
        id="shift-fails-for-good",
    ),
    pytest.param(
        at(Phase.DEPLOYING),
        sees(endpoint=endpoint_with(Deployment(NAME, "Failed", "1", transient=True))),
        actions.NoteFailure(),
        id="deployment-was-cancelled",
    ),
    pytest.param(
        at(Phase.DEPLOYING).replace(repairs=MAX_RETRIES),
        sees(endpoint=endpoint_with(Deployment(NAME, "Failed", "1", transient=True))),
        actions.Fail,
        id="deployment-is-cancelled-for-good",
    ),
    pytest.param(
        at(Phase.DEPLOYING).replace(config=TAGGED),
        sees(endpoint=replace(endpoint(), tags={"tuneops.project": "bot"})),
        actions.UpdateEndpoint(),
        id="endpoint-has-other-tags",
    ),
    pytest.param(
        at(Phase.DEPLOYING).replace(config=TAGGED),
        sees(endpoint=replace(endpoint(), tags={"TEAM": "ai", "by": "policy"})),
        actions.CreateDeployment(),
        id="endpoint-has-more-tags",
    ),
    pytest.param(
        READY.replace(config=CREATES_CLUSTER),
        Observed(cluster=Cluster("c", "Succeeded", max_nodes=2, idle_seconds=900, ours=True)),
        actions.ScaleCluster(),
        id="cluster-has-another-scale",
    ),
    pytest.param(
        READY.replace(config=CREATES_CLUSTER),
        Observed(cluster=Cluster("c", "Succeeded", max_nodes=1, idle_seconds=900, ours=True)),
        Phase.TRAINING,
        id="cluster-is-as-described",
    ),
    pytest.param(
        READY.replace(config=CREATES_CLUSTER),
        Observed(cluster=Cluster("c", "Succeeded", max_nodes=2, idle_seconds=900)),
        Phase.TRAINING,
        id="cluster-is-somebody-else's",
    ),
    pytest.param(
        at(Phase.DEPLOYING),
        sees(endpoint=replace(endpoint(), ours=False)),
        actions.Fail,
        id="somebody-else's-endpoint",
    ),
    pytest.param(
        at(Phase.DEPLOYING),
        sees(endpoint=endpoint(OLD, traffic=OLD)),
        actions.CreateDeployment(),
        id="no-deployment",
    ),
    pytest.param(
        at(Phase.DEPLOYING),
        sees(endpoint=replace(endpoint(), auth_mode="aad_token")),
        actions.UpdateEndpoint(),
        id="endpoint-has-other-settings",
    ),
    pytest.param(
        at(Phase.DEPLOYING),
        sees(endpoint=endpoint(OLD, "d-older", traffic=OLD)),
        actions.DeleteDeployment("d-older"),
        id="make-room-first",
    ),
    pytest.param(
        at(Phase.DEPLOYING),
        sees(endpoint=endpoint(NAME, d0="Creating")),
        actions.Wait,
        id="deployment-is-coming",
    ),
    pytest.param(
        at(Phase.DEPLOYING),
        sees(awaited=Deployment(NAME, "Creating", "1")),
        actions.Wait,
        id="deployment-is-coming-alone-is-looked-at",
    ),
    pytest.param(
        at(Phase.DEPLOYING), sees(endpoint=endpoint(NAME)), Phase.TESTING, id="deployment-is-ready"
    ),
    pytest.param(
        at(Phase.DEPLOYING),
        sees(endpoint=endpoint(NAME, d0="Failed")),
        actions.Fail,
        id="deployment-failed",
    ),
    pytest.param(
        at(Phase.DEPLOYING, number=2),
        sees(endpoint=endpoint(NAME, d0="Failed")),
        actions.DeleteDeployment(NAME),
        id="an-earlier-release's-deployment-failed",
    ),
    pytest.param(at(Phase.TESTING), sees(), actions.RunSmokeTest(), id="not-asked-yet"),
    pytest.param(smoked(ANSWER), sees(), Phase.SHIFTING, id="answered"),
    pytest.param(
        smoked(ANSWER, ANSWER, config=THREE_SAMPLES), sees(), actions.RunSmokeTest(), id="ask-on"
    ),
    pytest.param(
        smoked(ANSWER, ANSWER, ANSWER, config=THREE_SAMPLES), sees(), Phase.SHIFTING, id="all-asked"
    ),
    pytest.param(smoked(WRONG), sees(), actions.Wait, id="try-again"),
    pytest.param(smoked(WRONG, ANSWER), sees(), Phase.SHIFTING, id="better-now"),
    pytest.param(smoked(WRONG, WRONG, WRONG), sees(), actions.Fail, id="gives-up"),
    pytest.param(
        at(Phase.SHIFTING),
        sees(endpoint=endpoint(OLD, NAME, traffic=OLD)),
        actions.ShiftTraffic(),
        id="traffic-is-elsewhere",
    ),
    pytest.param(
        at(Phase.SHIFTING),
        sees(endpoint=endpoint(OLD, NAME, traffic=OLD, state="Updating")),
        actions.Wait,
        id="endpoint-is-busy",
    ),
    pytest.param(
        at(Phase.SHIFTING),
        sees(endpoint=endpoint(OLD, NAME, traffic=NAME)),
        Phase.LIVE,
        id="traffic-is-here",
    ),
    pytest.param(
        at(Phase.SHIFTING), sees(endpoint=endpoint(OLD)), Phase.DEPLOYING, id="deployment-has-gone"
    ),
    pytest.param(
        at(Phase.LIVE),
        Observed(endpoint=endpoint(NAME, traffic=NAME), live_release=None),
        actions.PromoteRelease(),
        id="live-and-not-noted",
    ),
    pytest.param(
        at(Phase.LIVE),
        sees(endpoint=endpoint(OLD, NAME, traffic=NAME)),
        actions.DeleteDeployment(OLD),
        id="old-deployment",
    ),
    pytest.param(
        at(Phase.LIVE),
        sees(endpoint=endpoint(OLD, NAME, traffic=NAME, d0="Deleting")),
        actions.Wait,
        id="old-deployment-is-going",
    ),
    pytest.param(
        at(Phase.LIVE),
        sees(endpoint=endpoint(NAME, traffic=NAME), stale_endpoints=(Endpoint("b", "Succeeded"),)),
        actions.DeleteEndpoint("b"),
        id="old-endpoint",
    ),
    pytest.param(
        at(Phase.LIVE), sees(endpoint=endpoint(NAME, traffic=NAME)), actions.Idle, id="all-is-well"
    ),
    pytest.param(at(Phase.LIVE), sees(), actions.NoteDrift, id="somebody-deleted-the-endpoint"),
    pytest.param(
        at(Phase.LIVE),
        sees(endpoint=endpoint(NAME, traffic=NAME), newest_base_model="m2"),
        actions.ReportBaseModel("m2"),
        id="newer-base-model",
    ),
    pytest.param(
        at(Phase.LIVE, reported_base_model="m2"),
        sees(endpoint=endpoint(NAME, traffic=NAME), newest_base_model="m2"),
        actions.Idle,
        id="newer-base-model-was-told",
    ),
    pytest.param(
        at(Phase.FAILED),
        sees(endpoint=endpoint(OLD, NAME, traffic=OLD)),
        actions.DeleteDeployment(NAME),
        id="failed-deployment",
    ),
    pytest.param(
        at(Phase.FAILED), sees(endpoint=endpoint(OLD, traffic=OLD)), actions.Idle, id="failed"
    ),
    pytest.param(
        at(Phase.FAILED),
        sees(endpoint=endpoint(OLD), live_deployment=f"{READY.endpoint}/{OLD}"),
        actions.Idle,
        id="somebody-took-the-traffic-of-what-is-live",
    ),
]


@pytest.mark.parametrize(("release", "observed", "expected"), TRANSITIONS)
def test_transitions(release: Release, observed: Observed, expected: object) -> None:
    action = decide(DESIRED, release, observed, NOW)
    assert matches(action, expected), action


def test_every_phase_has_a_transition() -> None:
    covered = {param.values[0].phase for param in TRANSITIONS}
    assert set(Phase) - covered == {Phase.SUPERSEDED, Phase.RETIRED}
