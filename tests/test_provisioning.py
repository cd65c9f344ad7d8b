"""Provisioning a deployment: what is tried again, what is tried elsewhere, and what is not."""

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ODataV4Format
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.config_text import config_of
from tests.deciding import DESIRED, NOW, OLD, at, endpoint, matches, sees
from tests.planned import come_to
from tuneops import actions, provision
from tuneops.actions import Action
from tuneops.azureml import endpoints
from tuneops.azureml.errors import NoMachinesError
from tuneops.azureml.reasons import advised, is_shortage, is_transient, of_shortage
from tuneops.config_file import parse_config
from tuneops.decide import decide
from tuneops.notify.model import instead
from tuneops.observed import Deployment, Observed
from tuneops.outcome import Kind, outcome
from tuneops.phases.provisioning import FIRST_PAUSE, MAX_RETRIES
from tuneops.policy import Policy, violations
from tuneops.provisioning import Provisioning
from tuneops.release import Phase, Release
from tuneops.superseded import Superseded

TYPES = ("Standard_A", "Standard_B", "Standard_C")
A, B, C = TYPES
CONFIG = config_of(
    "bot", f"deployment: {{instance_type: {A}, alternative_instance_types: [{B}, {C}]}}\n"
)
RELEASE = at(Phase.DEPLOYING, config=CONFIG)
NO_QUOTA = "OutOfQuota: Current usage/limit: 16/20. Additional needed: 8"
ON = {name: RELEASE.deployment_name_on(name) for name in TYPES}


def after(*lacking: str, **changes: object) -> Release:
    """The release when these instance types were not to be had."""
    provisioning = RELEASE.provisioning
    for name in lacking:
        provisioning = provisioning.lacks(name, f"OutOfQuota: none of {name}")
    return RELEASE.replace(provisioning=provisioning.replace(**changes))


def failed(name: str, error: str = NO_QUOTA, release: str = "1") -> Deployment:
    return Deployment(
        name,
        "Failed",
        release,
        error=error,
        transient=is_transient(error),
        lacking=is_shortage(error),
    )


def there(*more: Deployment, live: str = OLD) -> Observed:
    """An endpoint with what is live, and these deployments."""
    whole = endpoint(live, traffic=live)
    whole = replace(whole, deployments=(*whole.deployments, *more))
    return sees(endpoint=whole, live_deployment=f"{whole.name}/{live}")


KEPT = Superseded(deployment=f"{RELEASE.endpoint}/d-kept", at=NOW)
SUPERSEDED = Deployment("d-kept", "Succeeded", "1")
READY_B = Deployment(ON[B], "Succeeded", "1")
CANCELLED = failed(ON[A], "OperationCanceled: by another one")


@pytest.mark.parametrize(
    ("release", "observed", "expected"),
    [
        pytest.param(RELEASE, there(), actions.CreateDeployment(), id="the-first"),
        pytest.param(
            RELEASE, there(failed(ON[A])), actions.LackMachines(NO_QUOTA), id="it-is-not-to-be-had"
        ),
        pytest.param(
            after(A), there(failed(ON[A])), actions.DeleteDeployment(ON[A]), id="it-goes-first"
        ),
        pytest.param(after(A), there(), actions.CreateDeployment(), id="the-next"),
        pytest.param(
            after(A, B), there(failed(ON[B])), actions.DeleteDeployment(ON[B]), id="and-so-on"
        ),
        pytest.param(after(A), there(READY_B), Phase.TESTING, id="it-is-ready"),
        pytest.param(after(A, B, C), there(failed(ON[C])), actions.Fail, id="none-is-left"),
        pytest.param(
            RELEASE, there(failed(ON[A]), SUPERSEDED), actions.MakeRoom(), id="room-is-made"
        ),
        pytest.param(
            after(cramped=True),
            there(failed(ON[A]), SUPERSEDED),
            actions.DeleteDeployment(ON[A]),
            id="what-failed-goes-before-what-makes-room",
        ),
        pytest.param(
            after(cramped=True),
            there(SUPERSEDED),
            actions.DeleteDeployment("d-kept"),
            id="what-makes-room-goes",
        ),
        pytest.param(
            RELEASE,
            there(failed(ON[A], "ImageBuildFailure: no conda")),
            actions.Fail,
            id="an-image-is-not-tried-elsewhere",
        ),
        pytest.param(
            RELEASE,
            there(failed(ON[A], "BadArgument: Unable to download user model")),
            actions.Fail,
            id="nor-is-a-bad-model",
        ),
        pytest.param(
            RELEASE,
            there(failed(ON[A], "OutOfQuota: The role assignment limit is reached")),
            actions.Fail,
            id="nor-are-role-assignments",
        ),
        pytest.param(RELEASE, there(CANCELLED), actions.NoteFailure(), id="transient"),
        pytest.param(RELEASE, there(READY_B), actions.PreferInstanceType(B), id="back-to-it"),
        pytest.param(
            RELEASE,
            there(live=ON[B]),
            actions.CreateDeployment(),
            id="a-later-release-tries-the-first-again",
        ),
        pytest.param(
            RELEASE.replace(adopts=1),
            there(live=ON[B]),
            actions.PreferInstanceType(B),
            id="but-a-pin-does-not",
        ),
        pytest.param(
            RELEASE,
            there(replace(READY_B, release="")),
            actions.CreateDeployment(),
            id="somebody-else's-is-left-alone",
        ),
    ],
)
def test_what_comes_next(release: Release, observed: Observed, expected: object) -> None:
    desired = DESIRED.replace(config=release.config, adopts=release.adopts)
    action = decide(desired, release.replace(fingerprint=desired.fingerprint), observed, NOW)
    assert matches(action, expected), action


def test_what_is_transient_is_tried_again_later_and_later() -> None:
    desired = DESIRED.replace(config=CONFIG)
    release = RELEASE.replace(fingerprint=desired.fingerprint)
    for tried in range(MAX_RETRIES):
        noted = release.replace(repairs=tried, provisioning=Provisioning(failed_at=NOW))
        pause = FIRST_PAUSE * 2**tried
        waits = decide(desired, noted, there(CANCELLED), NOW)
        assert isinstance(waits, actions.Wait)
        assert waits.seconds == pause.total_seconds()
        assert "OperationCanceled: by another one; it is tried again" in waits.reason
        later = decide(desired, noted, there(CANCELLED), NOW + pause)
        assert later == actions.RepairDeployment()
    last = decide(desired, release.replace(repairs=MAX_RETRIES), there(CANCELLED), NOW)
    assert isinstance(last, actions.Fail)


def test_a_failure_names_all_that_was_tried_and_what_to_do() -> None:
    desired = DESIRED.replace(config=CONFIG)
    release = after(A, B, C).replace(fingerprint=desired.fingerprint)
    action = decide(desired, release, there(), NOW)
    assert isinstance(action, actions.Fail)
    assert action.reason == (
        "there are no machines for the deployment: Standard_A: OutOfQuota: none of Standard_A; "
        "Standard_B: OutOfQuota: none of Standard_B; Standard_C: OutOfQuota: none of Standard_C "
        "(ask for more quota, or choose a smaller deployment.instance_type, fewer instances or "
        "other deployment.alternative_instance_types)"
    )


class World:
    """An endpoint whose machines are there or not, and a reconciler whose records may be lost."""

    def __init__(self, seed: int, lacking: set[str], refused: set[str], *, frees: bool) -> None:
        self.random = random.Random(seed)
        self.lacking, self.refused, self.frees = lacking, refused, frees
        self.deployments = {OLD: "Succeeded", "d-kept": "Succeeded"}
        self.now, self.begun = NOW, 0
        self.release = RELEASE

    def lacks(self, instance_type: str) -> bool:
        """Superseded deployments may be what takes the quota."""
        freed = self.frees and "d-kept" not in self.deployments
        return instance_type in self.lacking and not freed

    def observed(self) -> Observed:
        by_name = {name: instance_type for instance_type, name in ON.items()}
        found = [
            failed(name) if state == "Failed" and name in by_name else Deployment(name, state, "1")
            for name, state in self.deployments.items()
        ]
        seen = there(*(each for each in found if each.name != OLD))
        return replace(seen, previous=(KEPT,))

    def begin_deploy(self, workspace: object, release: Release) -> None:
        if release.instance_type in self.refused and self.lacks(release.instance_type):
            raise NoMachinesError(NO_QUOTA)
        others = set(self.deployments) - {OLD, "d-kept"}
        assert others <= {release.deployment_name}, "two new deployments at once"
        self.begun += 1
        self.deployments[release.deployment_name] = "Creating"

    def step(self) -> Action:
        for name, state in list(self.deployments.items()):
            if state == "Deleting":
                del self.deployments[name]
            elif state == "Creating":
                (instance_type,) = (each for each in TYPES if ON[each] == name)
                self.deployments[name] = "Failed" if self.lacks(instance_type) else "Succeeded"
        self.now += timedelta(seconds=30)
        desired = DESIRED.replace(config=CONFIG)
        release = self.release.replace(fingerprint=desired.fingerprint)
        action = decide(desired, release, self.observed(), self.now)
        if isinstance(action, actions.DeleteDeployment):
            assert action.name != OLD, "what is live is deleted"
            self.deployments[action.name] = "Deleting"
        elif type(action) in provision.EFFECTS:
            changed = provision.EFFECTS[type(action)](action, release, self, self.now)  # type: ignore[arg-type]
            if self.random.random() < 0.8:
                self.release = changed
        return action

    workspace = None


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    lacking=st.sets(st.sampled_from(TYPES)),
    refused=st.sets(st.sampled_from(TYPES)),
    frees=st.booleans(),
)
def test_the_first_type_that_is_to_be_had_is_found_whatever_is_lost(
    seed: int, lacking: set[str], refused: set[str], *, frees: bool
) -> None:
    patch = pytest.MonkeyPatch()
    world = World(seed, lacking, refused, frees=frees)
    with patch.context() as patched:
        patched.setattr(endpoints, "begin_deploy", world.begin_deploy)
        for _ in range(300):
            action = world.step()
            if isinstance(action, actions.Fail | actions.Advance):
                break
    had = [name for name in TYPES if name not in lacking]
    if frees or had:
        assert matches(action, Phase.TESTING), action
        assert world.deployments[ON[A if frees else had[0]]] == "Succeeded"
    else:
        assert isinstance(action, actions.Fail)
        assert all(name in action.reason for name in TYPES)
    assert world.deployments[OLD] == "Succeeded"
    assert ("d-kept" in world.deployments) == (A not in lacking)


def test_a_live_release_that_is_deployed_again_begins_with_what_it_ran_on() -> None:
    live = come_to(after(A), Phase.LIVE, NOW, "")
    assert live.deployment_name == ON[B]
    gone = come_to(live, Phase.DEPLOYING, NOW, "it has gone")
    assert gone.instance_types_left == [B, A, C]
    assert gone.deployment_name == ON[B]


def test_the_live_deployment_is_noted_anew_when_its_type_changes() -> None:
    release = come_to(after(A), Phase.LIVE, NOW, "")
    desired = DESIRED.replace(config=CONFIG)
    release = release.replace(fingerprint=desired.fingerprint)
    seen = sees(endpoint=endpoint(ON[B], traffic=ON[B]))
    before = replace(seen, live_deployment=f"{release.endpoint}/{ON[A]}")
    assert decide(desired, release, before, NOW) == actions.PromoteRelease()
    noted = replace(seen, live_deployment=f"{release.endpoint}/{ON[B]}")
    assert isinstance(decide(desired, release, noted, NOW), actions.Idle)


def test_a_deployment_is_the_same_whoever_names_its_type_first() -> None:
    plain = config_of("bot", f"deployment: {{instance_type: {B}}}\n")
    assert at(Phase.DEPLOYING, config=plain).deployment_name == ON[B]
    assert len(set(ON.values())) == 3


def test_alternatives_alone_deploy_nothing_anew() -> None:
    before = config_of("bot", f"deployment: {{instance_type: {A}}}\n")
    plan = RELEASE.plan
    assert outcome(CONFIG, plan, before, plan).kind == Kind.SETTINGS


def test_an_alternative_that_the_policy_forbids_is_a_violation() -> None:
    policy = Policy(allowed_instance_types=(A, C, "Standard_NC*"))
    (said,) = violations(policy, CONFIG, None, "")
    assert said.startswith("deployment.alternative_instance_types.0: Standard_B is not in")


def test_a_type_is_named_once() -> None:
    text = (
        "name: bot\nmodel: {name: m}\ndata: {path: bot}\n"
        "deployment: {instance_type: Standard_A, alternative_instance_types: [standard_a]}\n"
    )
    with pytest.raises(Exception, match="names an instance type twice"):
        parse_config(text, "f.yaml")


def test_what_is_told_of_each_failure() -> None:
    assert is_shortage("OutOfQuota: none")
    assert is_shortage("OutOfCapacity: none")
    assert not is_shortage("ResourceNotReady: OutOfQuota")
    assert "user-assigned identity" in advised("OutOfQuota: the role assignment limit is reached")
    assert "AcrPull" in advised("BadArgument: Unable to download user container image")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"code": "OutOfQuota", "message": "none"}, "OutOfQuota: none"),
        ({"code": "BadRequest", "message": "Not enough quota available for X."}, "OutOfQuota: Not"),
        (
            {"code": "UserError", "message": "no", "details": [{"code": "SkuNotAvailable"}]},
            "SkuNotAvailable: no",
        ),
        ({"code": "Conflict", "message": "It is busy."}, ""),
        ({"code": "OutOfQuota", "message": "The role assignment limit is reached"}, ""),
    ],
)
def test_a_refusal_for_want_of_machines_is_known(body: dict[str, Any], expected: str) -> None:
    error = HttpResponseError("refused")
    error.error = ODataV4Format(body)
    found = of_shortage(error)
    assert found.startswith(expected)
    assert bool(found) == bool(expected)


def test_people_read_what_it_runs_on_instead() -> None:
    assert instead(RELEASE) == ""
    assert instead(after(A)) == " on Standard_B, as there were no machines for Standard_A"


def test_a_release_of_an_earlier_version_is_read() -> None:
    stored = RELEASE.model_dump(mode="json")
    del stored["provisioning"], stored["config"]["deployment"]["alternative_instance_types"]
    read = Release.model_validate(stored)
    assert read.provisioning == Provisioning()
    assert read.instance_type == A
