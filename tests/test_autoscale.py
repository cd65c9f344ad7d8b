"""Autoscale: from the config to Azure Monitor, kept so, and nothing of it left behind."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.cloud import Cloud
from tests.config_text import config_of
from tests.deciding import DESIRED, NAME, NOW, OLD, READY, at, endpoint, matches
from tests.faults import Faults
from tests.planned import come_to, until
from tests.test_held_up import deploying
from tuneops import actions, documents
from tuneops.act import act
from tuneops.autoscaling import Autoscale, ScaleRule
from tuneops.azureml import autoscale, endpoints
from tuneops.azureml.autoscale_setting import Properties, properties_of, settings_of
from tuneops.azureml.errors import MissingRoleError
from tuneops.decide import decide, look_after
from tuneops.desired import Desired
from tuneops.difference import Part
from tuneops.drift import differences
from tuneops.observe import observe
from tuneops.observed import Observed, Scaling
from tuneops.outcome import Kind, outcome
from tuneops.policy import Policy, violations
from tuneops.project import Project, start_release
from tuneops.queue import ProjectRequest
from tuneops.reconcile import reconcile_project
from tuneops.release import Phase, Release
from tuneops.services import Services
from tuneops.superseded import Superseded

ENDPOINT = READY.endpoint
EXTRA = "deployment: {autoscale: {min: 2, max: 5}}\n"
CONFIG = config_of("bot", EXTRA)
WANTED = Autoscale(min=2, max=5)
SETTINGS = WANTED.settings(1)
RULES = (
    "GpuUtilizationPercentage > 70 for 5 min: +1, then 5 min as it is; "
    "GpuUtilizationPercentage < 30 for 5 min: -1, then 15 min as it is"
)


def made(phase: Phase, config: Any = CONFIG, **changes: Any) -> tuple[Desired, Release]:
    """A release of the config, and what is desired just so."""
    desired = DESIRED.replace(config=config)
    release = at(phase, config=config, fingerprint=desired.fingerprint, autoscaled=True, **changes)
    return desired, release


def seen(*scalings: Scaling, there: tuple[str, ...] = (NAME,), **changes: Any) -> Observed:
    return Observed(
        endpoint=endpoint(*there, traffic=NAME), live_release=1, scalings=scalings, **changes
    )


SCALED = Scaling(ENDPOINT, NAME, SETTINGS)
OTHERWISE = Scaling(ENDPOINT, NAME, {**SETTINGS, "max": "9"})
PLAIN = config_of("bot")
MISSING = "deployment.autoscale is missing instead of the config's"


def test_what_the_config_says_is_what_azure_should_have() -> None:
    assert SETTINGS == {
        "enabled": "true",
        "min": "2",
        "max": "5",
        "instance_count": "2",
        "rules": RULES,
    }


@pytest.mark.parametrize(
    ("release", "observed", "expected"),
    [
        pytest.param(made(Phase.DEPLOYING), seen(), actions.SetAutoscale(), id="it-is-set"),
        pytest.param(made(Phase.DEPLOYING), seen(SCALED), Phase.TESTING, id="it-is-set-already"),
        pytest.param(
            made(Phase.DEPLOYING), seen(OTHERWISE), actions.SetAutoscale(), id="it-is-changed"
        ),
        pytest.param(
            made(Phase.DEPLOYING, PLAIN), seen(SCALED), actions.SetAutoscale(), id="it-is-no-more"
        ),
        pytest.param(made(Phase.DEPLOYING, PLAIN), seen(), Phase.TESTING, id="none"),
        pytest.param(made(Phase.LIVE), seen(SCALED), actions.Wait("", 3600), id="all-is-well"),
        pytest.param(made(Phase.LIVE), seen(OTHERWISE), actions.NoteDrift, id="drift"),
        pytest.param(
            made(Phase.LIVE),
            seen(SCALED, Scaling(ENDPOINT, OLD, SETTINGS)),
            actions.DeleteAutoscale(ENDPOINT, OLD),
            id="left-over",
        ),
        pytest.param(
            made(Phase.LIVE),
            seen(SCALED, Scaling(ENDPOINT, OLD, SETTINGS), there=(NAME, OLD)),
            actions.DeleteDeployment(OLD),
            id="goes-with-its-deployment",
        ),
    ],
)
def test_what_comes_next(
    release: tuple[Desired, Release], observed: Observed, expected: object
) -> None:
    action = decide(*release, observed, NOW)
    assert matches(action, expected), action


def test_it_is_looked_at_hourly_though_the_newest_release_has_failed() -> None:
    desired, release = made(Phase.LIVE)
    action = look_after(desired, release, seen(SCALED), NOW)
    assert matches(action, actions.Wait("", 3600))


def test_what_azure_never_gives_back_as_asked_holds_nothing_up() -> None:
    desired, release = made(Phase.DEPLOYING)
    twice = release.replace(provisioning=release.provisioning.replace(scalings=2))
    assert matches(decide(desired, twice, seen(OTHERWISE), NOW), Phase.TESTING)


def test_what_is_left_goes_when_the_config_is_removed() -> None:
    _, release = made(Phase.LIVE)
    gone = DESIRED.replace(config=None)
    observed = Observed(live_release=1, scalings=(SCALED,))
    assert decide(gone, release, observed, NOW) == actions.DeleteAutoscale(ENDPOINT, NAME)


@pytest.mark.parametrize(
    ("config", "scalings", "found"),
    [
        pytest.param(
            CONFIG, [], ["deployment.autoscale is missing instead of the config's"], id="no"
        ),
        pytest.param(CONFIG, [OTHERWISE], ["deployment.autoscale.max is 9 instead of 5"], id="max"),
        pytest.param(PLAIN, [SCALED], ["deployment.autoscale is set instead of none"], id="set"),
        pytest.param(CONFIG, [SCALED], [], id="as-it-should-be"),
    ],
)
def test_how_it_differs(config: Any, scalings: list[Scaling], found: list[str]) -> None:
    _, release = made(Phase.LIVE, config)
    seven = {"instance_count": "7"}
    observed = seen(*scalings)
    assert observed.endpoint is not None
    by_hand = replace(observed.endpoint.deployments[0], settings=seven)
    counted = replace(observed, endpoint=replace(observed.endpoint, deployments=(by_hand,)))
    told = [each for each in differences(release, counted) if each.part == Part.AUTOSCALE]
    assert [str(each) for each in told] == found
    others = {each.what for each in differences(release, counted)} - {each.what for each in told}
    assert others == (set() if config == CONFIG else {"deployment.instance_count"})


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"min": 3, "max": 2}, "min is above max"),
        ({"max": 2, "rules": [{"above": 1, "below": 1}]}, "a rule has above"),
        ({"max": 2, "rules": [{}]}, "a rule has above"),
        ({"max": 2, "rules": []}, "at least 1 item"),
        ({"max": 2, "rules": [{"above": 1, "for_minutes": 4}]}, "greater than or equal to 5"),
    ],
)
def test_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Autoscale.model_validate(given)


def test_the_name_of_a_deployment_does_not_depend_on_it() -> None:
    assert made(Phase.LIVE)[1].deployment_name == made(Phase.LIVE, PLAIN)[1].deployment_name
    plan = READY.plan
    assert outcome(CONFIG, plan, PLAIN, plan).kind == Kind.SETTINGS


def test_the_policy_bounds_what_it_may_come_to() -> None:
    (said,) = violations(Policy(max_instance_count=4), CONFIG, None, "")
    assert said.startswith("deployment.autoscale.max: 5 is more than max_instance_count")


def test_a_project_remembers_that_it_was_autoscaled() -> None:
    before = start_release(DESIRED.replace(config=CONFIG), Project(name="bot"), "/w", NOW)
    project = Project(name="bot").remember(before)
    after = start_release(DESIRED, project, "/w", NOW)
    assert (before.autoscaled, after.autoscaled) == (True, True)
    assert not start_release(DESIRED, Project(name="bot"), "/w", NOW).autoscaled


def test_a_project_knows_of_it_before_any_is_set(services: Services) -> None:
    """The release may fail, and what is live then is to be rid of what was set."""
    datasets = services.blobs.get_container_client(services.settings.datasets_container)
    datasets.upload_blob("bot/a.jsonl", b"{}")
    wanted = DESIRED.replace(config=CONFIG, source=None)
    services.store.write(documents.desired("bot"), wanted, etag=None)
    reconcile_project(ProjectRequest(project="bot"), services)
    stored = services.store.read(documents.project("bot"), Project)
    assert stored is not None
    assert (stored.value.current, stored.value.autoscaled) == (1, True)


RULE = st.builds(
    lambda metric, limit, more, window, step, rest: ScaleRule(
        metric=metric,
        above=limit if more else None,
        below=None if more else limit,
        for_minutes=window,
        change=step,
        cooldown_minutes=rest,
    ),
    st.sampled_from(["GpuUtilizationPercentage", "RequestLatency_P99", "ConnectionsActive"]),
    st.floats(0, 1e6),
    st.booleans(),
    st.integers(5, 720),
    st.integers(1, 20),
    st.integers(1, 10_080),
)
TARGET = "/subscriptions/s/onlineEndpoints/e/deployments/d"


@settings(max_examples=50, deadline=None)
@given(rules=st.lists(RULE, min_size=1, max_size=10), count=st.integers(1, 9), upper=st.booleans())
def test_what_is_made_is_read_as_it_was_meant(
    rules: list[ScaleRule], count: int, *, upper: bool
) -> None:
    scale = Autoscale(min=2, max=7, rules=tuple(rules))
    made = properties_of("n", TARGET, scale, scale.within(count))
    found = Properties.model_validate_json(json.dumps(made))
    if upper:
        found = found.model_copy(update={"target": TARGET.upper()})
    assert settings_of(found) == scale.settings(count)


def test_what_others_made_is_read_as_something_else() -> None:
    made = properties_of("n", TARGET, WANTED, 2)
    profile = made["profiles"][0]
    profile["rules"][0]["metricTrigger"]["statistic"] = "Max"
    profile["rules"][0]["scaleAction"] |= {"direction": "None", "type": "ExactCount"}
    made["profiles"] = [profile, profile]
    rules = settings_of(Properties.model_validate(made))["rules"]
    assert "None 1, then 5 min as it is ExactCount Max" in rules
    assert rules.endswith("and 1 more profiles")


def test_a_rule_is_told_in_words() -> None:
    rule = ScaleRule(metric="RequestsPerMinute", below=2.5, change=3)
    assert str(rule) == "RequestsPerMinute < 2.5 for 5 min: -3, then 5 min as it is"


@pytest.mark.slow
def test_it_is_set_seen_changed_back_and_told_of_before_it_is_deleted_with_what_it_scales(
    azure: Cloud, working: Services, faults: Faults, tmp_path: Path
) -> None:
    workspace = working.workspace
    rules = "rules: [{above: 70}, {metric: RequestLatency, below: 50, cooldown_minutes: 90}]"
    scaled = f"deployment: {{autoscale: {{min: 2, max: 5, {rules}}}}}\n"
    release = deploying(working, tmp_path, "scaled", scaled).replace(autoscaled=True)
    endpoints.begin_create(workspace, release)
    until(lambda: workspace.ml.online_endpoints.get("scaled").provisioning_state == "Succeeded")
    faults.ask("deployment", "fail", "scaled/*", times=2)
    endpoints.begin_deploy(workspace, release)
    created = workspace.ml.online_deployments.get(release.deployment_name, "scaled")
    assert created.instance_count == 2

    def found() -> list[str]:
        scalings = autoscale.observe(workspace, ["earlier", "scaled"], "scaled")
        observed = Observed(
            endpoint=replace(endpoint(release.deployment_name), name="scaled"), scalings=scalings
        )
        told = differences(release, observed)
        return [str(each) for each in told if each.part == Part.AUTOSCALE]

    said = "The client does not have authorization."
    call = "GET /subscriptions/**/autoscalesettings"
    faults.ask("call", "fail", call, status=403, code="AuthorizationFailed", message=said)
    wanted = DESIRED.replace(config=release.config)
    moving = observe(
        workspace, wanted, Project(name="scaled"), come_to(release, Phase.SHIFTING, NOW)
    )
    assert moving.endpoint is not None
    assert moving.scalings == ()
    with pytest.raises(MissingRoleError, match="the role TuneOps Autoscale Operator"):
        found()

    assert found() == [MISSING]
    for _ in range(2):
        act(actions.SetAutoscale(), release, working, NOW)
    assert found() == []

    before = release.replace(config=config_of("scaled"), autoscaled=False)
    live = come_to(before, Phase.LIVE, NOW)
    assert live.deployment_name == release.deployment_name
    again = observe(workspace, wanted, Project(name="scaled", autoscaled=True), live)
    assert [str(each) for each in differences(live, again) if each.part == Part.AUTOSCALE] == [
        "deployment.autoscale is set instead of none"
    ]

    address = f"{workspace.resource_manager}{autoscale.setting_id(workspace, release)}"
    with httpx2.Client(
        params={"api-version": "2022-10-01"}, headers=workspace.authorization()
    ) as rest:
        body = rest.get(address).json()
        latency = body["properties"]["profiles"][0]["rules"][1]["metricTrigger"]
        assert latency["metricResourceUri"] == f"{workspace.id}/onlineEndpoints/scaled"
        body["properties"]["profiles"][0]["capacity"]["maximum"] = "9"
        latency["metricResourceUri"] += "-other"
        assert rest.put(address, json=body).status_code == 200
        told, rule = found()
        assert told == "deployment.autoscale.max is 9 instead of 5"
        assert "90 min as it is of another resource instead of" in rule
        act(actions.Heal(Part.AUTOSCALE), release, working, NOW)
        assert found() == []
        assert autoscale.observe(workspace, ["scaled"], "another") == ()

        until(lambda: _settled(working, release))
        deletes = actions.DeleteDeployment(release.deployment_name)
        before = Superseded(deployment=f"scaled/{release.deployment_name}", at=NOW)
        project = Project(name="scaled", previous=(before,))
        working.store.write(documents.project("scaled"), project, etag=None)
        for each in (release, come_to(release, Phase.LIVE, NOW)):
            told = act(deletes, each, working, NOW)
            assert [message.event for message in told.outbox] == ["torn_down"]
            assert rest.get(address).status_code == 200
        assert act(deletes, told, working, NOW) is told
        assert rest.get(address).status_code == 404
        until(lambda: not list(workspace.ml.online_deployments.list("scaled")))

        endpoints.begin_deploy(workspace, release)
        act(actions.SetAutoscale(), release, working, NOW)
        act(actions.DeleteEndpoint("scaled"), release, working, NOW)
        assert rest.get(address).status_code == 404


def _settled(working: Services, release: Release) -> bool:
    found = endpoints.observe(working.workspace, "scaled", "scaled")
    deployment = found.deployment(release.deployment_name) if found else None
    return deployment is not None and deployment.settled
