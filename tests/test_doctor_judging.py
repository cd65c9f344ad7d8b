"""What the doctor makes of what it sees."""

import base64
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.config_text import config_of
from tuneops.azureml.event_subscriptions import EventSubscription
from tuneops.azureml.permissions import Permission
from tuneops.doctor import examination
from tuneops.doctor.checks import CHECKS, settled
from tuneops.doctor.finding import Finding, Outcome, failed, ok
from tuneops.doctor.judging import (
    channels,
    clock,
    command,
    events,
    github,
    identity,
    machines,
    queues,
    roles,
    settings,
    timers,
    webhook,
)
from tuneops.doctor.judging.machines import Wanted
from tuneops.doctor.judging.queues import Waiting
from tuneops.doctor.judging.site import Site
from tuneops.doctor.judging.storage import Account, judge_containers, judge_recovery
from tuneops.doctor.tasks import Task
from tuneops.feasibility import Quota, Size
from tuneops.gitops.standing import Standing
from tuneops.gitops.webhooks import Delivery, Webhook, Webhooks
from tuneops.notify.health import ChannelHealth
from tuneops.permissions.role import Role, covers
from tuneops.permissions.roles import (
    APP_ROLES,
    AUTOSCALE,
    CLUSTERS,
    OBSERVER,
    OPERATOR,
    REGION,
)
from tuneops.permissions.scope import Scope
from tuneops.permissions.table import actions_of
from tuneops.ticks import Tick

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ACCOUNT = Account("contoso", "/subscriptions/s/storageAccounts/contoso", "oid")
APP = {
    "WEBSITE_SITE_NAME": "tuneops-app",
    "WEBSITE_RESOURCE_GROUP": "rg",
    "WEBSITE_OWNER_NAME": "sub+rg-eastuswebspace-Linux",
    "WEBSITE_HOSTNAME": "tuneops-app.azurewebsites.net",
}
HOST = APP["WEBSITE_HOSTNAME"]
URL = f"https://{HOST}/api/github"
checks = st.lists(st.sampled_from(sorted(CHECKS)), unique=True)
outcomes: st.SearchStrategy[Outcome] = st.sampled_from(("ok", "warning", "failed", "skipped"))


def outcome(findings: Iterable[Finding], check: str) -> Outcome:
    return next(finding.outcome for finding in findings if finding.check == check)


def test_checks_name_others_of_them() -> None:
    assert {other for after in CHECKS.values() for other in after} <= CHECKS.keys()


@given(st.dictionaries(st.sampled_from(sorted(CHECKS)), outcomes))
def test_what_is_broken_is_named_and_what_follows_is_not(seen: dict[str, Outcome]) -> None:
    found = [Finding(check=check, outcome=each, what="") for check, each in seen.items()]
    after = settled(found)
    broken = {check for check, each in seen.items() if each == "failed"}
    named = {finding.check for finding in after if finding.outcome == "failed"}
    assert [each.check for each in after] == [check for check in CHECKS if check in seen]
    assert bool(named) == bool(broken)
    assert named == {check for check in broken if not broken & set(CHECKS[check])}
    for finding in after:
        if seen[finding.check] in ("ok", "skipped"):
            assert finding.outcome == seen[finding.check]


def test_one_environment_explains_nothing_of_another() -> None:
    one = failed("settings.workspace", "", "").model_copy(update={"environment": "one"})
    both = [
        failed("quota.serving", "", "").model_copy(update={"environment": environment})
        for environment in ("one", "two")
    ]
    after = {each.environment: each.outcome for each in settled([one, *both])[1:]}
    assert after == {"one": "skipped", "two": "failed"}


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "ok"), (20, "ok"), (-40, "warning"), (70, "failed")]
)
def test_the_clock(seconds: float, expected: Outcome) -> None:
    date = format_datetime(NOW - timedelta(seconds=seconds))
    assert clock.judge(date, NOW, "here").outcome == expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "ok"),
        ({"AzureWebJobsDisableHomepage": "false"}, "warning"),
        ({"WEBSITE_HOSTNAME": ""}, "warning"),
        ({"TUNEOPS_PAGE_URL": "contoso"}, "failed"),
    ],
)
def test_the_page(changed: dict[str, str], expected: Outcome) -> None:
    environment = {**APP, "AzureWebJobsDisableHomepage": "true", **changed}
    assert settings.judge_page(environment, Site.of(APP)).outcome == expected


@given(st.text())
def test_a_date_or_token_that_cannot_be_read_breaks_nothing(text: str) -> None:
    assert clock.judge(text, NOW, "here").check == "clock.skew"
    assert str(identity.principal(f"a.{text}.b"))


def test_a_token_tells_whom_it_is_for_and_is_not_shown() -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"oid": "o-1", "appid": "a-1"}).encode())
    token = f"header.{claims.decode().rstrip('=')}.signature"
    finding = identity.judge("identity.storage", identity.Got(token=token), "storage")
    assert "o-1" in finding.what
    assert "signature" not in finding.model_dump_json()


@pytest.mark.parametrize(
    ("tick", "since", "expected"),
    [
        (Tick(at=NOW - 4 * MINUTE, before=NOW - 9 * MINUTE), None, "ok"),
        (Tick(at=NOW - 14 * MINUTE, before=NOW - 19 * MINUTE), None, "ok"),
        (Tick(at=NOW - 16 * MINUTE, before=NOW - 21 * MINUTE), None, "failed"),
        (Tick(at=NOW - 16 * MINUTE, before=NOW - 76 * MINUTE), None, "ok"),
        (Tick(at=NOW - 16 * MINUTE), None, "failed"),
        (None, None, "skipped"),
        (None, NOW - 5 * MINUTE, "skipped"),
        (None, NOW - 60 * MINUTE, "failed"),
    ],
)
def test_the_timer(tick: Tick | None, since: datetime | None, expected: Outcome) -> None:
    assert timers.judge(timers.TIMERS[0], tick, since, APP, NOW).outcome == expected


def test_a_timer_that_was_switched_off_is_told_of_by_its_setting() -> None:
    off = {**APP, "AzureWebJobs.resync.Disabled": "true"}
    finding = timers.judge(timers.TIMERS[0], Tick(at=NOW), None, off, NOW)
    assert finding.where == "AzureWebJobs.resync.Disabled"
    assert "--name tuneops-app --resource-group rg" in finding.mend


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        ([], "ok"),
        ([Waiting("projects", NOW - 5 * MINUTE, True)], "ok"),
        ([Waiting("projects", NOW - 40 * MINUTE, True)], "failed"),
        ([Waiting("project bot", NOW - 400 * MINUTE, False)], "ok"),
    ],
)
def test_the_queue(waiting: list[Waiting], expected: Outcome) -> None:
    found = queues.judge_consumed(waiting, NOW, "reconcile", ACCOUNT, Site.of(APP))
    assert found.outcome == expected


def hook(*codes: int, url: str = URL, events: Any = webhook.EVENTS, active: bool = True) -> Webhook:
    """A webhook with the answers to its deliveries, newest first; 0 is none."""
    sent = [
        Delivery(event="push", status="x", status_code=code, delivered_at=NOW - n * MINUTE)
        for n, code in enumerate(codes)
    ]
    return Webhook(url=url, events=tuple(events), active=active, deliveries=tuple(sent))


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (Webhooks(of_app=hook(202)), {}),
        (Webhooks(of_repository=(hook(url="https://x/y"), hook(202))), {}),
        (Webhooks(of_app=hook(401, 202)), {"webhook.secret": "failed"}),
        (Webhooks(of_app=hook(202, 401)), {}),
        (Webhooks(of_app=hook(0, 202)), {"webhook.deliveries": "failed"}),
        (Webhooks(of_app=hook(202, 500)), {"webhook.deliveries": "warning"}),
        (Webhooks(of_app=hook(202, events=["push"])), {"webhook.events": "failed"}),
        (Webhooks(of_app=hook(202, events=["*"])), {}),
        (Webhooks(of_app=hook(202, active=False)), {"webhook.address": "failed"}),
        (Webhooks(of_app=hook(url="https://else/api/github")), {"webhook.address": "failed"}),
        (Webhooks(of_app=hook(url=f"https://{HOST}/api")), {"webhook.address": "failed"}),
        (Webhooks(of_app=hook(url="")), {"webhook.address": "warning"}),
        (Webhooks(), {"webhook.address": "warning"}),
        (Webhooks(of_repository=()), {"webhook.address": "failed"}),
    ],
)
def test_the_webhook(known: Webhooks, expected: dict[str, Outcome]) -> None:
    found = webhook.judge(known, {HOST}, "contoso/models")
    assert [each.check for each in found] == [name for name in CHECKS if name.startswith("webhook")]
    assert {each.check: each.outcome for each in found if each.mend} == expected


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (Standing(permissions={**github.NEEDED, "contents": "write"}), "warning"),
        (Standing(permissions={**github.NEEDED, "statuses": "read"}), "failed"),
        (Standing(permissions={}), "failed"),
        (Standing(may_push=False), "failed"),
        (Standing(may_push=True), "skipped"),
        (
            Standing(
                permissions={
                    **github.NEEDED,
                    "contents": "write",
                    "actions": "read",
                    "members": "read",
                }
            ),
            "ok",
        ),
    ],
)
def test_the_permissions_at_github(standing: Standing, expected: Outcome) -> None:
    assert github.judge_permissions(standing, "contoso/models").outcome == expected


FUNCTION = (
    "/subscriptions/sub/resourceGroups/rg/providers/Microsoft.Web/sites/tuneops-app/functions"
)
UPLOADS = {
    "name": "uploads",
    "state": "Succeeded",
    "target": f"{FUNCTION}/on_dataset_uploaded",
    "types": ("Microsoft.Storage.BlobCreated",),
    "has_dead_letters": True,
}


@pytest.mark.parametrize(
    ("changes", "flaw"),
    [
        ({}, ""),
        ({"types": None}, ""),
        ({"begins_with": "/blobServices/default/containers/datasets/"}, ""),
        ({"target": f"https://{HOST}/runtime/webhooks/eventgrid"}, ""),
        ({"target": f"{FUNCTION}/on_job_event"}, "goes to"),
        ({"target": f"{FUNCTION.replace('tuneops-app', 'other')}/on_dataset_uploaded"}, "goes to"),
        ({"target": "https://other/runtime/webhooks/eventgrid"}, "goes to https://other"),
        ({"types": ("Microsoft.Storage.BlobDeleted",)}, "leaves out Microsoft.Storage.BlobCreated"),
        ({"begins_with": "/blobServices/default/containers/other/"}, "tells of subjects below"),
        ({"ends_with": ".csv"}, "end with .csv"),
        ({"state": "Failed"}, "is in state Failed"),
    ],
)
def test_an_event_subscription(changes: dict[str, Any], flaw: str) -> None:
    given = EventSubscription(**{**UPLOADS, **changes})
    topic = events.data_topic("/account", "datasets")
    first, *_ = events.judge(topic, [given], Site.of(APP), {HOST})
    assert first.outcome == ("failed" if flaw else "ok")
    assert flaw in first.what
    if flaw:
        assert f"--endpoint {FUNCTION}/on_dataset_uploaded" in first.mend


def test_dead_letters_that_are_not_kept_are_told_of() -> None:
    given = EventSubscription(**{**UPLOADS, "has_dead_letters": False})
    topic = events.data_topic("/account", "datasets")
    found = events.judge(topic, [given], Site.of(APP), {HOST})
    assert outcome(found, "events.dead_letters") == "warning"


@pytest.mark.parametrize(
    ("allowed", "taken_out", "action", "expected"),
    [
        ("*", "", "a/b/read", True),
        ("A/*/write", "", "a/b/c/write", True),
        ("a/*/write", "", "a/b/read", False),
        ("*", "a/b/*", "a/b/write", False),
        ("*", "a/b/*", "a/c/write", True),
        ("a.b/read", "", "aXb/read", False),
    ],
)
def test_a_permission(allowed: str, taken_out: str, action: str, expected: bool) -> None:
    outs = [taken_out] if taken_out else []
    given = Permission.model_validate({"actions": [allowed], "notActions": outs})
    assert given.allows(action) is expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(0, "failed"), (24, "failed"), (48, "ok"), (-1, "ok"), (None, "skipped")],
)
def test_the_quota_for_serving(limit: int | None, expected: Outcome) -> None:
    size = Size("Standard_NC24ads_A100_v4", "NCADSA100v4", 24, 1)
    quotas = [] if limit is None else [Quota("NCADSA100v4", used=48, limit=limit)]
    wanted = Wanted("bot", "finetune/bot.yaml", config_of("bot"))
    assert machines.judge_serving(wanted, [size], quotas).outcome == expected


@pytest.mark.parametrize(
    ("extra", "expected"),
    [("", "warning"), ("rollout: {strategy: canary}\n", "failed")],
)
def test_metrics_are_vital_where_they_are_weighed(extra: str, expected: Outcome) -> None:
    configs = [config_of("bot", extra)]
    found = roles.judge(
        "/subscriptions/s/resourceGroups/g/providers/x/workspaces/w",
        lambda action: "Insights" not in action,
        lambda _: True,
        configs,
        "oid",
    )
    assert {each.check: each.outcome for each in found if each.mend} == {"roles.metrics": expected}


EVERYTHING = """\
rollout: {strategy: canary}
compute: {name: own, cluster: {size: Standard_NC24ads_A100_v4}}
deployment: {autoscale: {min: 1, max: 2}}
"""


@pytest.mark.parametrize(
    ("without", "checks"),
    [
        (
            OPERATOR,
            ("roles.workspace", "roles.jobs", "roles.models", "roles.endpoints", "roles.metrics"),
        ),
        (CLUSTERS, ("roles.compute",)),
        (AUTOSCALE, ("roles.autoscale",)),
        (OBSERVER, ("roles.observer",)),
        (REGION, ()),
    ],
    ids=lambda value: value.name if isinstance(value, Role) else "",
)
def test_each_role_that_is_missing_is_named(without: Role, checks: tuple[str, ...]) -> None:
    group = "/subscriptions/s/resourceGroups/g"

    def allows(*scopes: Scope) -> Callable[[str], bool]:
        given = [role for role in APP_ROLES if role is not without and role.scope in scopes]
        actions = [pattern for role in given for pattern in actions_of(role)]
        return lambda action: any(covers(pattern, action) for pattern in actions)

    found = roles.judge(
        f"{group}/providers/x/workspaces/w",
        allows(Scope.WORKSPACE, Scope.RESOURCE_GROUP, Scope.SUBSCRIPTION),
        allows(Scope.RESOURCE_GROUP, Scope.SUBSCRIPTION),
        [config_of("bot", EVERYTHING)],
        "oid",
    )
    assert tuple(each.check for each in found if each.mend) == checks
    for each in found:
        if each.mend:
            assert f"starts_with(roleName, '{without.name}')" in each.mend
            assert "--assignee-object-id oid" in each.mend
            assert f"--scope {each.where}" in each.mend


def test_containers_and_what_protects_them() -> None:
    seen = judge_containers(
        {"a": "private", "b": "public", "c": "missing", "d": "forbidden"}, ACCOUNT
    )
    assert [(each.check.partition(".")[2], each.outcome) for each in seen] == [
        ("containers", "ok"),
        ("containers", "ok"),
        ("containers", "failed"),
        ("containers", "failed"),
        ("public", "ok"),
        ("public", "failed"),
        ("public", "skipped"),
        ("public", "skipped"),
    ]
    recovery = [
        judge_recovery(days, hidden, ACCOUNT) for days, hidden in ((7, False), (None, False))
    ]
    assert [each.outcome for each in recovery] == ["ok", "warning"]


def test_a_reference_to_a_secret_is_not_shown() -> None:
    reference = "@Microsoft.KeyVault(VaultName=kv;SecretName=github-key)"
    found = settings.judge_secrets(
        {"TUNEOPS_GITHUB_TOKEN": reference, "PATH": reference}, Site.of(APP)
    )
    assert [each.where for each in found] == ["TUNEOPS_GITHUB_TOKEN"]
    assert "vault kv" in found[0].mend
    assert "github-key" not in found[0].model_dump_json()


def test_a_channel_is_named_as_long_as_it_takes_nothing() -> None:
    well = ChannelHealth("c", "oncall", "", None, "", NOW, None, 0, 0)
    ill = replace(well, failing_since=NOW, error="answers 500", waiting=3)
    assert [each.outcome for each in channels.judge([])] == ["ok"]
    assert [each.outcome for each in channels.judge([well, ill])] == ["ok", "failed"]
    assert "3 waiting: answers 500" in channels.judge([ill])[0].what


@pytest.mark.parametrize(
    ("status", "error", "broken"),
    [
        (200, "", []),
        (401, "", ["app.key"]),
        (404, "", ["app.answers"]),
        (500, "", ["app.answers"]),
        (200, "and not like TuneOps", ["app.answers"]),
        (0, "ConnectError", ["app.answers"]),
    ],
)
def test_an_answer_of_the_app(status: int, error: str, broken: list[str]) -> None:
    found = command.judge_answer(status, error, f"https://{HOST}")
    assert [each.check for each in found if each.outcome == "failed"] == broken


def test_a_look_that_breaks_says_so_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    def look() -> Iterable[Finding]:
        yield ok("storage.containers", "is there")
        raise RuntimeError("token=abcdefghijklmnop\n  at line 7")

    task = Task(("storage.containers", "storage.state"), look)
    first, second = examination._run([task])
    assert (first.check, first.outcome) == ("storage.containers", "ok")
    assert (second.check, second.outcome) == ("storage.state", "failed")
    assert "RuntimeError" in second.what
    assert "abcdefgh" not in second.what
    assert "line 7" not in second.what
