"""Drift: what counts as a difference, whose an endpoint is, and how often it is brought back."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.config_text import config_of
from tests.deciding import DESIRED, NAME, NOW, OLD, READY, at, endpoint, sees
from tuneops import actions, healing
from tuneops.decide import decide, look_after
from tuneops.desired import Desired
from tuneops.difference import Answer, Part
from tuneops.drift import differences, is_known
from tuneops.observed import Deployment, Endpoint, Observed
from tuneops.policy import Verdict
from tuneops.release import Phase, Release, Waiting
from tuneops.status import _why

LIVE = at(Phase.LIVE)
SERVING = endpoint(NAME, traffic=NAME)
WHOLE = sees(endpoint=SERVING)
REPORTS = DESIRED.replace(config=config_of("bot", "drift: report\n"))
HOUR = timedelta(hours=1)
UNTESTED = "is not known to have been tested"


def seen(**changes: Any) -> Observed:
    """The live endpoint, changed by hand."""
    return sees(endpoint=replace(SERVING, **changes))


def behind(**changes: Any) -> Observed:
    """The live deployment, changed by hand."""
    return seen(deployments=(replace(SERVING.deployments[0], **changes),))


def remade(release: str, **changes: Any) -> Observed:
    """The live deployment was made again as that of a `release`, and serves nothing yet."""
    again = replace(SERVING.deployments[0], release=release)
    return seen(**{"traffic": {}, "deployments": (again,), **changes})


def wanting(extra: str) -> Release:
    return LIVE.replace(config=config_of("bot", extra))


def of_others(**changes: Any) -> Observed:
    return seen(ours=False, lost_tags=("tuneops.project",), **changes)


LATER = "deployment: {environment_variables: {A: b}, tags: {team: ai}}\n"
DIFFERENCES = [
    pytest.param(LIVE, WHOLE, [], id="whole"),
    pytest.param(LIVE, sees(), [f"endpoint {READY.endpoint} is gone"], id="endpoint-gone"),
    pytest.param(
        LIVE, sees(endpoint=endpoint(OLD, traffic=OLD)), [f"deployment {NAME} is gone"], id="gone"
    ),
    pytest.param(LIVE, seen(traffic={}), [f"traffic is none instead of {NAME} 100%"], id="traffic"),
    pytest.param(LIVE, remade("2"), [f"deployment {NAME} {UNTESTED}"], id="made-again"),
    pytest.param(LIVE, remade(""), [f"deployment {NAME} {UNTESTED}"], id="made-by-nobody-knows"),
    pytest.param(LIVE, remade("2", traffic={NAME: 100}), [], id="made-again-and-serving"),
    pytest.param(
        LIVE,
        sees(endpoint=endpoint(OLD, NAME, traffic=OLD)),
        [f"traffic is {OLD} 100% instead of {NAME} 100%"],
        id="traffic-elsewhere",
    ),
    pytest.param(
        LIVE,
        seen(mirror_traffic={"by-hand": 10}),
        ["mirror traffic is by-hand 10% instead of none"],
        id="mirror",
    ),
    pytest.param(
        LIVE,
        seen(deployments=(*SERVING.deployments, Deployment("by-hand", "Succeeded", ""))),
        [],
        id="by-hand-without-traffic",
    ),
    pytest.param(
        LIVE,
        seen(auth_mode="aml_token", public_network_access="disabled", state="Failed"),
        [
            f"endpoint {READY.endpoint} is Failed instead of Succeeded",
            "endpoint.auth_mode is aml_token instead of key",
            "endpoint.public_network_access is disabled instead of enabled",
        ],
        id="endpoint-settings",
    ),
    pytest.param(
        wanting("endpoint: {tags: {team: ai, area: x}}\n"),
        seen(tags={"TEAM": "sales", "by": "policy"}),
        ["endpoint.tags.team is sales instead of ai", "endpoint.tags.area is missing instead of x"],
        id="own-tags",
    ),
    pytest.param(
        LIVE,
        of_others(),
        [f"tag tuneops.project of endpoint {READY.endpoint} is missing"],
        id="lost-tag",
    ),
    pytest.param(
        LIVE,
        of_others(deployments=()),
        [f"endpoint {READY.endpoint} is somebody else's instead of this project's"],
        id="a-stranger",
    ),
    pytest.param(
        LIVE,
        of_others(tags={"tuneops.project": "other"}, traffic={}),
        [f"endpoint {READY.endpoint} is project other's instead of this project's"],
        id="another-project's",
    ),
    pytest.param(
        LIVE,
        behind(settings={"instance_count": "3", "instance_type": "standard_nc24ads_a100_v4"}),
        ["deployment.instance_count is 3 instead of 1"],
        id="instances",
    ),
    pytest.param(
        LIVE,
        behind(
            settings={
                "request_settings.request_timeout_ms": "5000",
                "liveness_probe.period": "99",
            }
        ),
        [
            "deployment.request_settings.request_timeout_ms is 5000 instead of 90000",
            "deployment.liveness_probe.period is 99 instead of 10",
        ],
        id="requests-and-probes",
    ),
    pytest.param(
        wanting(LATER),
        sees(
            endpoint=replace(
                SERVING,
                traffic={wanting(LATER).deployment_name: 100},
                deployments=(
                    Deployment(
                        wanting(LATER).deployment_name,
                        "Succeeded",
                        "1",
                        settings={"environment_variables.A": "a secret"},
                    ),
                ),
            )
        ),
        [
            "deployment.environment_variables.A is another one instead of the config's",
            "deployment.tags.team is missing instead of ai",
        ],
        id="no-secret-is-shown",
    ),
    pytest.param(
        LIVE,
        behind(state="Failed", model="bot:7", lost_tags=("tuneops.commit",)),
        [
            f"deployment {NAME} is Failed instead of Succeeded",
            f"model of deployment {NAME} is bot:7 instead of bot:{READY.model_version}",
            f"tag tuneops.commit of deployment {NAME} is missing",
        ],
        id="deployment",
    ),
    pytest.param(
        LIVE,
        behind(other_owner="other", settings={"instance_count": "3"}),
        [f"deployment {NAME} is project other's instead of this project's"],
        id="another-project's-deployment",
    ),
    pytest.param(
        LIVE,
        sees(model_archived=True),
        [
            f"endpoint {READY.endpoint} is gone",
            f"model bot:{READY.model_version} is archived",
        ],
        id="archived",
    ),
]


@pytest.mark.parametrize(("release", "observed", "expected"), DIFFERENCES)
def test_differences(release: Release, observed: Observed, expected: list[str]) -> None:
    assert [str(difference) for difference in differences(release, observed)] == expected


@pytest.mark.parametrize(
    ("found", "known"),
    [
        (SERVING, True),
        (replace(SERVING, ours=False), True),
        (replace(endpoint("d-ours"), ours=False), True),
        (replace(endpoint(), ours=False), False),
        (replace(endpoint(), ours=False, deployments=(Deployment("d", "Succeeded", ""),)), False),
        (replace(SERVING, ours=False, tags={"tuneops.project": "other"}), False),
    ],
)
def test_an_endpoint_without_a_tag_is_known_by_what_is_behind_it(
    found: Endpoint, known: bool
) -> None:
    assert is_known(LIVE, found) is known


class Loop:
    """A project that is looked at, with an Azure that somebody changes as a test says."""

    def __init__(self, desired: Desired = DESIRED) -> None:
        self.desired = desired
        self.release = LIVE
        self.now = NOW
        self.healed: list[Part] = []

    def look(self, observed: Observed) -> actions.Action:
        """One look, and the steps that follow until something is begun or there is nothing."""
        while True:
            action = decide(self.desired, self.release, observed, self.now)
            if isinstance(action, actions.NoteDrift):
                self.release = healing.note(self.release, action, ("by Ada",), self.now)
            elif isinstance(action, actions.EndDrift):
                self.release = healing.over(self.release, self.now)
            elif isinstance(action, actions.Heal):
                self.healed.append(action.part)
                self.release = healing.begun(self.release, action.part, self.now)
                return action
            else:
                return action

    @property
    def told(self) -> list[str]:
        return [message.text for message in self.release.outbox if message.event == "drifted"]

    @property
    def answer(self) -> Answer | None:
        return self.release.drift.answer if self.release.drift else None


SHIFTED = seen(traffic={})
SHIFTED_TEXT = f"traffic is none instead of {NAME} 100% (by Ada)"


def test_drift_is_told_and_healed_once() -> None:
    loop = Loop()
    assert loop.look(SHIFTED) == actions.Heal(Part.TRAFFIC)
    assert isinstance(loop.look(SHIFTED), actions.Wait)
    assert isinstance(loop.look(seen(traffic={NAME: 100}, state="Updating")), actions.Wait)
    assert isinstance(loop.look(WHOLE), actions.Idle)
    assert loop.told == [f"{SHIFTED_TEXT}: it is being brought back"]
    assert loop.release.drift is None
    assert [entry.reason for entry in loop.release.history[-2:]] == [
        f"drifted: {loop.told[0]}",
        "what had drifted is as it should be",
    ]
    assert loop.release.entered(Phase.LIVE) == LIVE.entered(Phase.LIVE)


def test_everything_is_healed_the_traffic_first() -> None:
    loop = Loop()
    worst = seen(
        traffic={},
        auth_mode="aml_token",
        deployments=(replace(SERVING.deployments[0], lost_tags=("tuneops.commit",)),),
    )
    worst = replace(worst, model_archived=True)
    loop.look(worst)
    loop.look(replace(seen(auth_mode="aml_token"), model_archived=True))
    loop.look(seen(auth_mode="aml_token"))
    loop.look(behind(lost_tags=("tuneops.commit",)))
    assert isinstance(loop.look(WHOLE), actions.Idle)
    assert loop.healed == [Part.TRAFFIC, Part.MODEL, Part.ENDPOINT, Part.DEPLOYMENT]
    assert len(loop.told) == 1


@pytest.mark.parametrize(
    "observed", [sees(), sees(endpoint=endpoint(OLD, traffic=OLD))], ids=["endpoint", "deployment"]
)
def test_what_is_gone_is_deployed_again(observed: Observed) -> None:
    loop = Loop()
    action = loop.look(observed)
    assert isinstance(action, actions.Advance)
    assert action.phase == Phase.DEPLOYING
    assert action.reason.endswith("is gone")
    assert len(loop.told) == 1


def test_what_comes_back_again_and_again_is_left_and_told() -> None:
    loop = Loop()
    for _ in range(healing.MAX_HEALS):
        assert isinstance(loop.look(SHIFTED), actions.Heal)
        loop.look(WHOLE)
        loop.now += timedelta(minutes=5)
    for _ in range(5):
        assert isinstance(loop.look(SHIFTED), actions.Idle)
        loop.now += HOUR
    assert loop.answer == Answer.STOPPED
    assert len(loop.told) == healing.MAX_HEALS + 1
    assert loop.told[-1].endswith("it is left as it is, for it was brought back 3 times in an hour")
    loop.look(WHOLE)
    assert loop.look(SHIFTED) == actions.Heal(Part.TRAFFIC)


def test_what_does_not_hold_is_tried_so_often_and_told_twice() -> None:
    loop = Loop()
    for _ in range(10):
        loop.look(SHIFTED)
        loop.now += healing.SETTLES
    assert loop.healed == [Part.TRAFFIC] * healing.MAX_HEALS
    assert loop.answer == Answer.STOPPED
    assert len(loop.told) == 2


def test_what_is_deleted_again_and_again_is_left_and_told() -> None:
    loop = Loop()
    begun = 0
    for _ in range(6):
        if isinstance(loop.look(sees()), actions.Advance):
            begun += 1
            loop.release = loop.release.advance(Phase.DEPLOYING, loop.now, "gone")
            loop.now += timedelta(minutes=2)
            there = loop.release.replace(phase=Phase.SHIFTING)
            loop.release = there.advance(Phase.LIVE, loop.now, "there again")
        loop.now += timedelta(seconds=1)
    assert begun == healing.MAX_HEALS
    assert loop.answer == Answer.STOPPED


def test_drift_that_is_reported_is_told_once_for_each_set() -> None:
    loop = Loop(REPORTS)
    both = replace(SHIFTED, model_archived=True)
    for observed in (SHIFTED, SHIFTED, both, SHIFTED, both, WHOLE, SHIFTED, sees()):
        assert isinstance(loop.look(observed), actions.Idle)
    assert loop.told == [
        f"{SHIFTED_TEXT}: it is left as it is",
        f"traffic is none instead of {NAME} 100%; model bot:{READY.model_version} is archived "
        "(by Ada): it is left as it is",
        f"endpoint {READY.endpoint} is gone (by Ada): it is left as it is",
    ]
    assert loop.release.history == LIVE.history
    assert loop.answer == Answer.REPORTED
    loop.look(WHOLE)
    assert loop.release.drift is None


def test_drift_that_is_left_is_seen_whatever_else_is_waited_for() -> None:
    loop = Loop(REPORTS)
    loop.look(SHIFTED)
    keeps = Waiting(reason="what is superseded is kept for a while", since=NOW)
    said = _why(loop.release.replace(waiting=keeps), "")
    assert said == f"drifted: {SHIFTED_TEXT}: it is left as it is"


def test_git_may_change_its_mind() -> None:
    loop = Loop(REPORTS)
    loop.look(SHIFTED)
    loop.desired = DESIRED
    assert loop.look(SHIFTED) == actions.Heal(Part.TRAFFIC)
    loop.desired = REPORTS
    assert isinstance(loop.look(SHIFTED), actions.Idle)


def test_a_stranger_and_what_the_policy_forbids_are_only_reported() -> None:
    loop = Loop()
    assert isinstance(loop.look(of_others(deployments=())), actions.Idle)
    assert loop.answer == Answer.REPORTED
    loop = Loop()
    forbidden = replace(SHIFTED, verdict=Verdict(("nodes: too many",)))
    assert isinstance(loop.look(forbidden), actions.Idle)
    assert loop.answer == Answer.REPORTED


def test_what_is_live_is_looked_after_when_the_newest_release_has_failed() -> None:
    def next_of(observed: Observed, desired: Desired = DESIRED) -> actions.Action:
        return look_after(desired, noted, observed, NOW)

    noted = LIVE
    action = next_of(SHIFTED)
    assert action == actions.NoteDrift(differences(LIVE, SHIFTED), Answer.HEALING)
    assert isinstance(action, actions.NoteDrift)
    noted = healing.note(LIVE, action, (), NOW)
    assert next_of(SHIFTED) == actions.Heal(Part.TRAFFIC)
    assert next_of(WHOLE) == actions.EndDrift()
    noted = LIVE
    assert next_of(sees()) == actions.NoteDrift(differences(LIVE, sees()), Answer.REPORTED)
    suspended = DESIRED.replace(config=config_of("bot", "suspend: true\n"))
    ordered = DESIRED.replace(suspended="suspended by Ada")
    for desired in (suspended, ordered, DESIRED.replace(config=None)):
        assert next_of(SHIFTED, desired) == actions.Idle("live")


SEEN = st.sampled_from(
    [WHOLE, SHIFTED, sees(), behind(lost_tags=("tuneops.commit",)), of_others(), of_others()]
)


@given(st.lists(st.tuples(SEEN, st.sampled_from([1, 30, 90, 1000]), st.booleans()), max_size=40))
def test_whatever_happens_heals_are_bounded(
    history: list[tuple[Observed, int, bool]],
) -> None:
    loop = Loop()
    noted: list[datetime] = []
    for observed, seconds, heals in history:
        loop.desired = DESIRED if heals else REPORTS
        before = loop.release.heals
        action = loop.look(observed)
        if not heals:
            assert isinstance(action, actions.Idle)
        noted += [at for at in loop.release.heals if at not in before]
        loop.now += timedelta(seconds=seconds)
    for start in noted:
        assert len([at for at in noted if start <= at < start + HOUR]) <= healing.MAX_HEALS


def test_what_a_failed_release_made_again_gets_no_traffic() -> None:
    """It has the name of what is live, but failed its smoke test."""
    action = look_after(DESIRED, LIVE, remade("2"), NOW)
    assert isinstance(action, actions.NoteDrift)
    assert action.answer == Answer.REPORTED
    told = healing.note(LIVE, action, (), NOW)
    assert look_after(DESIRED, told, remade("2"), NOW) == actions.Idle("live")


def test_what_nobody_knows_who_made_again_is_tested_first() -> None:
    action = decide(DESIRED, LIVE, remade(""), NOW)
    assert isinstance(action, actions.NoteDrift)
    told = healing.note(LIVE, action, (), NOW)
    again = decide(DESIRED, told, remade(""), NOW)
    assert isinstance(again, actions.Advance)
    assert again.phase == Phase.DEPLOYING


def with_settings(extra: str, **settings: str) -> list[str]:
    """How the live deployment of a config differs that has these settings."""
    release = wanting(f"deployment: {{{extra}}}\n")
    name = release.deployment_name
    there = Deployment(name, "Succeeded", "1", settings=settings)
    found = differences(release, seen(traffic={name: 100}, deployments=(there,)))
    return [str(each) for each in found]


def test_times_are_alike_in_whole_seconds() -> None:
    wanted = "request_settings: {request_timeout_ms: 5400}"
    timeout = "request_settings.request_timeout_ms"
    assert with_settings(wanted, **{timeout: "5000"}) == []
    assert with_settings(wanted, **{timeout: "4999"}) == [
        f"deployment.{timeout} is 4999 instead of 5400"
    ]


def test_a_variable_that_is_gone_is_told_without_its_value() -> None:
    name = "environment_variables.A"
    wanted = "environment_variables: {A: b}"
    assert with_settings(wanted, **{name: "b"}) == []
    assert with_settings(wanted, instance_count="1") == [
        f"deployment.{name} is missing instead of the config's"
    ]


def test_what_is_scaled_has_as_many_instances_as_it_needs() -> None:
    wanted = "autoscale: {min: 1, max: 3}"
    assert with_settings(wanted, instance_count="3") == [
        "deployment.autoscale is missing instead of the config's"
    ]
