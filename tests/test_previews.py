"""Previews: who may have one, what it is, for how long, and how many there are. Tables, no I/O."""

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from tests.config_text import config_of
from tests.planned import NOW, come_to, desired
from tuneops import names
from tuneops.actions import CancelJob, Idle, RunSmokeTest, Wait
from tuneops.cli.status import render
from tuneops.config_file import InvalidConfigError
from tuneops.decide import decide
from tuneops.desired import Desired, fingerprint
from tuneops.gitops.github import _origin
from tuneops.gitops.snapshot import Origin
from tuneops.observed import Job, Observed
from tuneops.policy import Policy
from tuneops.policy_file import parse_policy
from tuneops.previews import judgement, text
from tuneops.previews.judgement import Applicant
from tuneops.previews.register import Entry, Register
from tuneops.previews.terms import Terms
from tuneops.previews.wanted import at_its_time, bounded, ended, preview_of, remembered
from tuneops.project import Project, start_release
from tuneops.release import Phase, TrainingPlan
from tuneops.status import ProjectStatus, Status

TERMS = Terms(number=7, until=NOW + timedelta(hours=24))
LATER = NOW + timedelta(hours=25)
PROJECT = st.from_regex(r"\A([a-z][a-z0-9-]{0,14}\.)?[a-z][a-z0-9-]{0,22}[a-z0-9]\Z")


def preview(extra: str = "", tracked: str | None = "") -> Desired:
    """The preview of pull request 7, which has `extra` in its config, `tracked` in the branch's."""
    asked = desired(extra)
    assert asked.config is not None
    known = None if tracked is None else config_of("bot", tracked)
    return preview_of(asked, asked.config, known, "ada", TERMS).replace(source=asked.source)


@settings(max_examples=30, deadline=None)
@given(PROJECT, st.integers(1, 2**53 - 1))
def test_a_preview_shares_what_is_trained_and_nothing_that_serves(name: str, number: int) -> None:
    key = names.preview_key(name, number)
    assert re.match(names.PROJECT_KEY, key)
    assert names.is_preview(key)
    assert not names.is_preview(name)
    assert (names.family(key), names.environment_of(key)) == (name, names.environment_of(name))
    job = names.job_name(key, "0123456789ab", 1)
    assert job == names.job_name(name, "0123456789ab", 1)
    assert names.project_of_job(job) == name
    endpoint = names.endpoint_name(key, "/w")
    assert re.fullmatch(r"[a-z][a-z0-9-]{1,30}[a-z0-9]", endpoint)
    others = {names.endpoint_name(name, "/w"), names.endpoint_name(f"{key}0", "/w")}
    assert endpoint not in others
    assert names.tags(key, 1, "c")[names.TAG_PREVIEW] == str(number)
    assert names.TAG_PREVIEW not in names.tags(name, 1, "c")


@pytest.mark.parametrize(
    ("extra", "hours"),
    [
        ("", 0),
        ("preview: false\n", 0),
        ("preview: true\n", 24),
        ("preview: {}\n", 24),
        ("preview: {hours: 3}\n", 3),
    ],
)
def test_a_config_asks_for_a_preview_and_is_the_same_release(extra: str, hours: int) -> None:
    config = config_of("bot", extra)
    assert config.preview_hours == hours
    assert fingerprint(config, None) == fingerprint(config_of("bot"), None)


@pytest.mark.parametrize(
    "wrong", ["{hours: 0}", "{hours: 169}", "{hour: 3}", "soon", "{hours: true}"]
)
def test_what_is_no_preview_is_an_error_of_that_line(wrong: str) -> None:
    with pytest.raises(InvalidConfigError, match=r"finetune/bot.yaml:4: preview"):
        config_of("bot", f"preview: {wrong}\n")


def applicant(**changes: Any) -> Applicant:
    given: dict[str, Any] = {
        "author": "ada",
        "own": True,
        "may_write": lambda: True,
        "pushers": lambda: frozenset({"ada"}),
    }
    return Applicant(**{**given, **changes})


RULES = "changes: [{projects: [bot], by: [ada, Grace]}]\npolicy: {by: [ada]}\n"
MALLORY = {"pushers": lambda: frozenset({"ada", "mallory"})}


@pytest.mark.parametrize(
    ("tracked", "policy", "who", "why"),
    [
        pytest.param("preview: true\n", "", {}, "", id="its-config-on-the-branch-allows-it"),
        pytest.param("", "previews: {}\n", {}, "", id="the-policy-allows-it"),
        pytest.param(None, "previews: {}\n", {}, "", id="a-new-project"),
        pytest.param("", "", {}, "does not allow it yet", id="nobody-allows-it"),
        pytest.param(None, "", {}, "does not allow it yet", id="a-new-project-allows-itself"),
        pytest.param("preview: true\n", "previews: {max: 0}\n", {}, "max of", id="forbidden"),
        pytest.param("preview: true\n", "", {"own": False}, "from a fork", id="fork"),
        pytest.param(
            "preview: true\n", "", {"may_write": lambda: False}, "ada may not write", id="reader"
        ),
        pytest.param(
            "preview: true\n",
            "",
            {"author": "", "may_write": lambda: False},
            "its author may not write",
            id="a-ghost",
        ),
        pytest.param("preview: true\n", RULES, {}, "", id="named-by-a-rule"),
        pytest.param(
            "preview: true\n", RULES, {"author": "eve"}, "changed by eve", id="author-not-named"
        ),
        pytest.param("preview: true\n", RULES, MALLORY, "by mallory", id="pusher-not-named"),
        pytest.param(
            "preview: true\n",
            RULES,
            {"pushers": lambda: None},
            judgement.NOT_TOLD,
            id="pushers-not-known",
        ),
        pytest.param(
            "preview: true\n", RULES.replace("bot", "cat"), MALLORY, "", id="a-rule-about-another"
        ),
    ],
)
def test_who_may_have_a_preview(
    tracked: str | None, policy: str, who: dict[str, Any], why: str
) -> None:
    known = None if tracked is None else config_of("bot", tracked)
    asked = config_of("bot", "smoke_test: {samples: 2}\n")
    rules = parse_policy(policy.encode(), "p")
    said = judgement.refusal("bot", asked, known, rules, applicant(**who))
    assert why in said
    assert bool(said) == bool(why)


def test_what_changes_nothing_is_not_tried() -> None:
    tracked = config_of("bot", "preview: true\n")
    same = config_of("bot", "preview: true\nsuspend: true\nrollout: {strategy: canary}\n")
    said = judgement.refusal("bot", same, tracked, Policy(), applicant())
    assert said.startswith("there is nothing to try: model, data, training")


@pytest.mark.parametrize(
    ("asked", "tracked", "policy", "hours"),
    [
        ("preview: {hours: 3}\n", "preview: {hours: 5}\n", "", 3),
        ("preview: {hours: 99}\n", "preview: {hours: 5}\n", "", 5),
        ("preview: {hours: 99}\n", "preview: {hours: 5}\n", "previews: {max_hours: 48}\n", 48),
        ("preview: {hours: 99}\n", "", "previews: {}\n", 72),
        ("preview: true\n", None, "previews: {max_hours: 2}\n", 2),
    ],
)
def test_a_pull_request_does_not_give_itself_more_time(
    asked: str, tracked: str | None, policy: str, hours: int
) -> None:
    known = None if tracked is None else config_of("bot", tracked)
    rules = parse_policy(policy.encode(), "p") if policy else Policy()
    assert judgement.hours(config_of("bot", asked), known, rules) == hours


@pytest.mark.parametrize(
    ("pull", "origin"),
    [
        (
            {"user": {"login": "ada"}, "head": {"ref": "x", "repo": {"full_name": "a/b"}}},
            Origin("ada", "a/b", "x"),
        ),
        ({"user": None, "head": {"ref": "x", "repo": None}}, Origin("", "", "x")),
    ],
)
def test_where_a_pull_request_comes_from(pull: dict[str, Any], origin: Origin) -> None:
    assert _origin(pull) == origin


IDENTITY = (
    "{type: user_assigned, user_assigned_identities: [/subscriptions/s/resourceGroups/g/providers"
    "/Microsoft.ManagedIdentity/userAssignedIdentities/%s]}"
)
GREEDY = f"""\
endpoint:
  name: live-endpoint
  auth_mode: aad_token
  identity: {IDENTITY % "admin"}
deployment: {{instance_count: 9, instance_type: Standard_ND96, autoscale: {{min: 2, max: 9}}}}
compute:
  name: mine
  identity: {{type: aml_token}}
  cluster: {{size: Standard_NC6, min_instances: 4, max_instances: 4, identity: {IDENTITY % "root"}}}
rollout: {{strategy: canary}}
notifications: {{events: []}}
on_removal: retain
deletion_protection: true
in_flight: finish
drift: report
preview: {{hours: 100}}
"""


def test_a_preview_is_bounded_whatever_the_pull_request_says() -> None:
    config = preview(GREEDY, f"endpoint: {{identity: {IDENTITY % 'live'}}}\n").config
    assert config is not None
    assert (config.endpoint.name, config.endpoint.auth_mode) == (None, "key")
    assert "live" in config.endpoint.identity.user_assigned_identities[0]
    assert (config.compute.identity, config.compute.name) == (None, "mine")
    assert config.compute.cluster is not None
    assert (config.compute.cluster.min_instances, config.compute.cluster.identity) == (0, None)
    assert (config.deployment.instance_count, config.deployment.autoscale) == (1, None)
    assert config.rollout.keep_previous == 0
    assert config.deployment.instance_type == "Standard_ND96"
    assert (config.on_removal, config.deletion_protection) == ("delete", False)
    assert (config.in_flight, config.drift, config.rollout.strategy) == (
        "cancel",
        "heal",
        "blue-green",
    )
    assert "live" in config.notifications.events

    new = preview(GREEDY, None).config
    assert new is not None
    assert (new.endpoint.name, new.endpoint.auth_mode) == (None, "aad_token")
    assert new.endpoint.identity.user_assigned_identities == ()


def test_a_push_that_changes_no_config_changes_no_release() -> None:
    first = preview()
    pushed = preview().replace(commit="1" * 40, preview=TERMS.replace(until=LATER))
    kept = remembered(first.replace(source=None), pushed)
    assert (kept.commit, kept.preview) == (first.commit, pushed.preview)
    changed = preview("smoke_test: {samples: 2}\n").replace(commit="1" * 40)
    assert remembered(first, changed) == changed
    over = ended(first, "closed", closed=True)
    assert (over.config, over.removed) == (None, first.config)
    assert ended(over, "closed", closed=True) == over
    assert remembered(over, pushed) == pushed
    real = desired()
    assert ended(real, "closed") == real


def test_when_its_time_is_over_nothing_is_wanted() -> None:
    wanted = preview()
    assert at_its_time(wanted, TERMS.until - timedelta(seconds=1)) == wanted
    over = at_its_time(wanted, TERMS.until)
    assert (over.config, over.removed) == (None, wanted.config)
    assert over.preview is not None
    assert over.preview.over == "its time was over at 2026-01-02 00:00 UTC"
    assert at_its_time(desired(), LATER) == desired()


@pytest.mark.parametrize(
    ("action", "seconds"),
    [
        pytest.param(Idle("live"), 86_400, id="idle"),
        pytest.param(Wait("frozen", 1e9), 86_400, id="a-long-freeze"),
        pytest.param(Wait("soon", 5), 5, id="soon"),
        pytest.param(Wait("as usual"), None, id="as-usual"),
    ],
)
def test_a_preview_is_looked_at_when_its_time_is_over(
    action: Idle | Wait, seconds: float | None
) -> None:
    found = bounded(action, preview(), NOW)
    assert isinstance(found, Wait)
    assert found.seconds == seconds
    assert bounded(action, desired(), NOW) == action
    assert bounded(RunSmokeTest(), preview(), NOW) == RunSmokeTest()


@pytest.mark.parametrize("shared", [False, True])
def test_a_job_that_others_wait_for_is_not_cancelled(shared: bool) -> None:
    wanted = preview()
    plan = TrainingPlan(base_model="m", component="c", parameters={}, digest="0123456789ab")
    made = start_release(wanted, Project(name=wanted.project), "/w", NOW)
    made = come_to(made.replace(training=plan), Phase.TRAINING, NOW, "").link(job="page")
    seen = Observed(job=Job("Running", "1"), shares_job=shared)
    over = decide(at_its_time(wanted, LATER), made, seen, LATER)
    other = decide(preview("training: {parameters: {max_steps: 3}}\n"), made, seen, NOW)
    ends = Phase.RETIRED if shared else Phase.SUPERSEDED
    assert (over.phase, other.phase) == (ends, Phase.SUPERSEDED)  # type: ignore[union-attr]
    assert over.reason == "its time was over at 2026-01-02 00:00 UTC"  # type: ignore[union-attr]
    made = made.advance(Phase.SUPERSEDED, NOW, "")
    then = decide(at_its_time(wanted, LATER), made, seen, LATER)
    assert then == CancelJob() if not shared else then.phase == Phase.RETIRED  # type: ignore[union-attr]


# The register


def entry(number: int, head: str, at: int = 0, **changes: Any) -> Entry:
    moment = NOW + timedelta(minutes=at)
    return Entry(number=number, head=head, hours=24, since=moment, begun=moment, **changes)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "refuse", "close", "gone"]),
        st.integers(1, 5),
        st.sampled_from("abc"),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.integers(0, 3))
def test_whatever_happens_there_are_no_more_than_may_be(
    steps: list[tuple[str, int, str]], most: int
) -> None:
    register = Register()
    for minute, (step, number, head) in enumerate(steps):
        key, now = f"bot~{number}", NOW + timedelta(minutes=minute)
        if step == "ask":
            after = register.asked(key, entry(number, head, minute), most)
            again = after.asked(key, entry(number, head, minute + 1), most)
            assert again == after or most == 0
        elif step == "gone":
            after = register.gone(key, now)
            assert after.gone(key, now) == after
        else:
            closed = step == "close"
            after = register.ended(key, "because", closed=closed)
            assert after.ended(key, "because", closed=closed) == after
        register = after
        assert sum(each.has_place for each in register.entries.values()) <= most
        waiting = {e.number for e in register.entries.values() if e.state == "waits"}
        assert register.next_waiting(most) in {None, *waiting}

    for number in range(1, 6):
        register = register.ended(f"bot~{number}", "closed", closed=True)
        register = register.gone(f"bot~{number}", NOW)
    assert register.entries == {}


def test_places_are_given_in_turn() -> None:
    register = Register()
    for number in (1, 2, 3):
        register = register.asked(f"bot~{number}", entry(number, "a", number), 1)
    assert [each.state for each in register.entries.values()] == ["on", "waits", "waits"]
    assert register.next_waiting(1) is None
    register = register.ended("bot~1", "closed", closed=True)
    assert register.asked("bot~3", entry(3, "a", 9), 1) == register
    assert register.next_waiting(1) is None
    register = register.gone("bot~1", NOW)
    assert list(register.entries) == ["bot~2", "bot~3"]
    assert register.next_waiting(1) == 2
    assert register.asked("bot~3", entry(3, "a", 9), 1).entries["bot~3"].state == "waits"
    assert register.asked("bot~2", entry(2, "a", 9), 1).entries["bot~2"].state == "on"


def test_a_commit_has_its_time_once_and_another_begins_anew() -> None:
    register = Register().asked("bot~1", entry(1, "a"), 1)
    same = register.asked("bot~1", entry(1, "a", 60), 1)
    assert same.entries["bot~1"].until == register.entries["bot~1"].until
    pushed = register.asked("bot~1", entry(1, "b", 60), 1)
    assert pushed.entries["bot~1"].until == NOW + timedelta(hours=25)

    assert register.gone("bot~1", NOW) == register
    over = register.gone("bot~1", LATER)
    assert over.entries["bot~1"].state == "over"
    assert over.asked("bot~1", entry(1, "a", 2000), 1) == over
    assert over.asked("bot~1", entry(1, "b", 2000), 1).entries["bot~1"].state == "on"
    assert over.ended("bot~1", "closed", closed=True).entries == {}

    closed = register.ended("bot~1", "closed", closed=True)
    reopened = closed.asked("bot~1", entry(1, "a", 60), 1)
    assert reopened.entries["bot~1"].until == NOW + timedelta(hours=25)


def test_what_is_not_as_it_was_asked_for_is_found() -> None:
    register = Register()
    for number, state in enumerate(("on", "waits", "ending", "over"), 1):
        one = Register(entries={f"bot~{number}": entry(number, "a", state=state)})
        register = register.replace(entries={**register.entries, **one.entries})
    assert register.outdated(dict.fromkeys((1, 2, 3, 4), "a")) == set()
    assert register.outdated(dict.fromkeys((1, 2, 3, 4), "b")) == {1, 2}
    assert register.outdated({}) == {1, 2, 3, 4}
    assert list(register.ending(NOW)) == ["bot~3"]
    assert list(register.ending(LATER)) == ["bot~1", "bot~3"]


def test_of_too_many_the_newest_end() -> None:
    register = Register()
    for number in (1, 2):
        register = register.asked(f"bot~{number}", entry(number, "a", number), 2)
    assert register.asked("bot~1", entry(1, "a", 5), 1).entries["bot~1"].state == "on"
    ends = register.asked("bot~2", entry(2, "a", 5), 1).entries["bot~2"]
    assert (ends.state, ends.why) == ("ending", "the policy has room for 1")


def test_what_people_read_holds_no_foreign_markup() -> None:
    hostile = "x` <img src=//evil> [a](//evil)"
    said = text.refused("bot~7", f"{hostile}\n# big")
    assert said.splitlines()[-1] == "`x' <img src=//evil> [a](//evil) # big`"
    made = start_release(preview(), Project(name="bot~7"), "/w", NOW)
    for phase in (Phase.TRAINING, Phase.FAILED, Phase.RETIRED):
        shown = text.state(preview(), made.advance(phase, NOW, hostile), None, ("rg", "ws"))
        assert "`x' <img src=//evil> [a](//evil)`" in shown
    live = text.state(preview(), come_to(made, Phase.LIVE, NOW, "all traffic"), None, ("rg", "ws"))
    assert f"--name {made.endpoint} --request-file" in live
    assert "It lasts until 2026-01-02 00:00 UTC." in live


def test_the_status_tells_previews_apart() -> None:
    shown = [
        ProjectStatus(name="bot~7", phase="Live", reason="live", preview=TERMS),
        ProjectStatus(name="cat", phase="Live", reason="live"),
    ]
    console = Console(width=200)
    with console.capture() as captured:
        console.print(render(Status(commit="c", config_errors=[], projects=shown), detailed=False))
    _, first, second = captured.get().splitlines()
    assert first.split() == ["cat", "Live", "live"]
    assert "preview of pull request 7 until 2026-01-0" in second


def test_a_plan_tells_of_the_preview_and_what_it_costs() -> None:
    priced = parse_policy(b"prices: {per_hour: {Standard_NC24ads_A100_v4: 3.67}}\n", "p")
    config = config_of("bot", "preview: true\n")
    (said,) = text.foretold(config, 24, [priced])
    assert said.endswith("1 x Standard_NC24ads_A100_v4, 3.67 USD an hour besides the training")
    assert "an hour" not in next(text.foretold(config, 24, []))
    assert list(text.foretold(config, 0, [priced])) == []
