"""What belongs to nothing and what becomes of it: tables and properties of the pure part."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.planned import NOW, come_to, desired, release
from tuneops import names
from tuneops.desired import Desired
from tuneops.message import Delivery, Message
from tuneops.orders import Pin
from tuneops.project import Project
from tuneops.release import Phase, Release, TrainingPlan
from tuneops.superseded import Superseded
from tuneops.sweep import text
from tuneops.sweep.finding import (
    FEW,
    MAX_DELETED,
    PROVEN,
    Finding,
    Findings,
    Proof,
    asks_since,
    due,
    told,
    too_many,
    weighed,
)
from tuneops.sweep.holding import Holding
from tuneops.sweep.record import Record, Restoration
from tuneops.sweep.resource import Kind, Resource
from tuneops.sweep.restoring import TRAFFIC, End, Look, Put, next_step

HOUR = timedelta(hours=1)
GRACE = 72 * HOUR
SPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
PLAN = TrainingPlan(base_model="m", component="c", parameters={}, digest="0" * 12)
KEPT = "rollout: {keep_failed_for_minutes: 60}\n"


def made(number: int, phase: Phase, extra: str = "", digest: str = "") -> Release:
    """A release that came to this phase now."""
    known = release(extra).replace(number=number, training=PLAN, commit=f"{number}" * 40)
    if digest:
        known = known.replace(training=PLAN.replace(digest=digest))
    return come_to(known, phase, NOW, "so it is")


OLD, LIVE = made(1, Phase.SUPERSEDED, digest="1" * 12), made(2, Phase.LIVE)
WAS_LIVE = Superseded(deployment=f"{OLD.endpoint}/{OLD.deployment_name}", at=NOW)
OWN = f"{SPACE}/onlineEndpoints/{LIVE.endpoint}"


def held(
    current: Release = LIVE,
    *others: Release,
    git: Desired | None = None,
    untouched: str = "",
    **project: Any,
) -> Holding:
    """A project whose newest release is `current`, that was live if another is not said to be."""
    live = project.pop("live", current.number)
    serving = f"{LIVE.endpoint}/{LIVE.deployment_name}" if live else ""
    stored = Project(
        name="bot",
        current=current.number,
        live=live,
        live_deployment=serving,
        endpoints=(LIVE.endpoint,),
        **project,
    )
    known = {each.number: each for each in (OLD, LIVE, current, *others)}
    return Holding(git or desired(), stored, known, untouched)


def gone(on_removal: str = "delete") -> Desired:
    """The config was removed from git."""
    before = desired(f"on_removal: {on_removal}\n")
    return before.replace(config=None, removed=before.config)


def thing(path: str, of: Release = OLD, **tags: str) -> Resource:
    return Resource(path, {**of.tags, **tags})


def deployment(of: Release) -> Resource:
    return thing(f"{OWN}/deployments/{of.deployment_name}", of)


ENDPOINT, OTHER = thing(OWN), thing(f"{SPACE}/onlineEndpoints/other")
PREVIOUS, CLUSTER = deployment(OLD), thing(f"{SPACE}/computes/box")
JOB, ANOTHER = (thing(f"{SPACE}/jobs/{each.job_name}") for each in (LIVE, OLD))
FAILED = made(3, Phase.FAILED, KEPT, digest="3" * 12)
TRAINS = made(3, Phase.TRAINING, digest="1" * 12)


@pytest.mark.parametrize(
    ("holding", "resource", "later", "claimed"),
    [
        pytest.param(held(), ENDPOINT, GRACE, True, id="own-endpoint"),
        pytest.param(held(), Resource(OWN.upper()), GRACE, True, id="in-any-case"),
        pytest.param(held(), OTHER, GRACE, False, id="other-endpoint"),
        pytest.param(held(), deployment(LIVE), GRACE, True, id="live-deployment"),
        pytest.param(held(), PREVIOUS, GRACE, False, id="superseded-deployment"),
        pytest.param(held(previous=(WAS_LIVE,)), PREVIOUS, HOUR / 2, True, id="kept"),
        pytest.param(held(previous=(WAS_LIVE,)), PREVIOUS, HOUR, False, id="kept-long-enough"),
        pytest.param(held(made(2, Phase.LIVE, KEPT)), PREVIOUS, 2 * HOUR, False, id="kept-no-more"),
        pytest.param(held(FAILED, live=2), deployment(FAILED), HOUR / 2, True, id="failed-is-kept"),
        pytest.param(held(FAILED, live=2), deployment(FAILED), GRACE, False, id="failed-long-ago"),
        pytest.param(held(FAILED, live=2), deployment(LIVE), GRACE, True, id="live-behind-failed"),
        pytest.param(
            held(made(3, Phase.SUPERSEDED, digest="3" * 12), live=2),
            deployment(FAILED),
            GRACE,
            False,
            id="of-one-that-made-way",
        ),
        pytest.param(held(made(3, Phase.TESTING), live=2), OTHER, GRACE, True, id="under-way"),
        pytest.param(held(made(3, Phase.PREPARING), live=2), ANOTHER, GRACE, True, id="may-adopt"),
        pytest.param(held(TRAINS, live=2), ANOTHER, GRACE, True, id="own-job"),
        pytest.param(held(TRAINS, live=2), JOB, GRACE, False, id="another-job"),
        pytest.param(held(TRAINS, live=2), PREVIOUS, GRACE, True, id="trains"),
        pytest.param(held(), JOB, GRACE, False, id="job-of-a-live-one"),
        pytest.param(held(), CLUSTER, GRACE, False, id="cluster"),
        pytest.param(held(untouched="left"), OTHER, GRACE, True, id="unwatched"),
        pytest.param(held(git=desired("suspend: true\n")), OTHER, GRACE, True, id="suspended"),
        pytest.param(
            held(pin=Pin(id="p", release=1, by="a", at=NOW)), OTHER, GRACE, True, id="pinned"
        ),
        pytest.param(held(git=gone()), ENDPOINT, GRACE, True, id="being-retired"),
        pytest.param(
            held(made(2, Phase.RETIRED), git=gone()), ENDPOINT, GRACE, False, id="retired"
        ),
        pytest.param(
            held(made(2, Phase.RETIRED), git=gone()), PREVIOUS, GRACE, False, id="behind-retired"
        ),
        pytest.param(
            held(made(2, Phase.RETIRED), git=gone("retain")), ENDPOINT, GRACE, True, id="retained"
        ),
        pytest.param(
            held(made(2, Phase.RETIRED), git=gone("retain")), PREVIOUS, GRACE, True, id="behind-it"
        ),
    ],
)
def test_what_belongs_to_a_project(
    holding: Holding, resource: Resource, later: timedelta, claimed: bool
) -> None:
    assert holding.claims(resource, "/w", NOW + later) is claimed


@pytest.mark.parametrize(
    ("tags", "ours"),
    [
        pytest.param({}, True, id="ours"),
        pytest.param({names.TAG_COMMIT: "f" * 40}, False, id="another-commit"),
        pytest.param({names.TAG_RELEASE: "9"}, False, id="no-such-release"),
        pytest.param({names.TAG_RELEASE: "one"}, False, id="no-number"),
        pytest.param({names.TAG_RELEASE: "1" * 400}, False, id="too-long"),
    ],
)
def test_only_what_a_release_here_has_made_is_ours(tags: dict[str, str], ours: bool) -> None:
    assert held().made(thing(OTHER.id, OLD, **tags)) is ours


def test_resources_are_known_by_their_ids() -> None:
    kinds = [each.kind for each in (ENDPOINT, PREVIOUS, CLUSTER, JOB)]
    assert kinds == [Kind.ENDPOINT, Kind.DEPLOYMENT, Kind.CLUSTER, Kind.JOB]
    assert PREVIOUS.label == f"deployment {LIVE.endpoint}/{OLD.deployment_name}"
    assert thing(OWN, OLD, **{names.TAG_KEEP: ""}).wanted
    assert not ENDPOINT.wanted


def look(before: Finding | None, now: datetime, left: str = "") -> Finding:
    """The finding after a look that found nothing, or a reason to leave the resource."""
    proof = Proof(left=left) if left else Proof(proof="no requests", since=asks_since(before, now))
    return weighed(before, OTHER, "it is nobody's", proof, now, now)


def hearing(finding: Finding, now: datetime) -> Finding:
    return finding if finding.message else finding.replace(message="m", told_at=now)


LOOKS = st.lists(
    st.tuples(st.integers(1, 26), st.sampled_from(["", "", "", "", "", "", "in use"])),
    min_size=1,
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(LOOKS)
def test_nothing_goes_that_was_not_seen_unused_for_the_whole_grace(
    looks: list[tuple[int, str]],
) -> None:
    """And people were told after the last time it was used, with the time that it went at."""
    now, finding = NOW, None
    unused: list[datetime] = []
    promised = NOW
    for hours, left in looks:
        now += timedelta(hours=hours)
        seen_before = finding.seen if finding else now - PROVEN
        finding = look(finding, now, left)
        unused = [*unused, now] if not left and now - seen_before <= PROVEN else []
        unused = unused or ([now] if not left else [])
        if not left and not finding.message:
            promised = finding.due(GRACE)
        finding = hearing(finding, now)
        if due([finding], 100, GRACE, now):
            assert not left
            assert now - unused[0] >= GRACE
            assert finding.told_at
            assert now >= promised
            assert all(b - a <= PROVEN for a, b in pairwise(unused))


def test_a_finding_is_told_once_until_it_may_go_after_all() -> None:
    first = hearing(look(None, NOW), NOW)
    again = look(first, NOW + HOUR)
    assert (again.id, again.message, again.since) == (first.id, "m", NOW)
    assert again.unused_since == NOW - PROVEN
    used = look(again, NOW + 2 * HOUR, "it is in use: 3 requests")
    assert (used.message, used.since) == ("m", NOW + 2 * HOUR)
    quiet = look(used, NOW + 3 * HOUR)
    assert (quiet.message, quiet.told_at, quiet.since) == ("", None, NOW + 3 * HOUR)
    assert quiet.unused_since == NOW + 2 * HOUR
    unseen = look(hearing(quiet, NOW), NOW + 30 * HOUR)
    assert (unseen.message, unseen.since) == ("", NOW + 30 * HOUR)


def many(count: int, left: int = 0) -> list[Finding]:
    """Findings that are due, and some that are left."""
    made = look(None, NOW).replace(message="m", told_at=NOW)
    due_ones = [made.replace(id=f"{n}", resource=f"/r/{n}") for n in range(count)]
    return due_ones + [made.replace(id=f"l{n}", left="somebody else's") for n in range(left)]


@pytest.mark.parametrize(
    ("count", "left", "total", "gone"),
    [
        pytest.param(1, 0, 1, 1, id="few-may-go"),
        pytest.param(FEW, 9, FEW, FEW, id="whatever-their-share"),
        pytest.param(FEW + 1, 0, 10, 0, id="too-large-a-share"),
        pytest.param(FEW + 1, 0, 20, FEW + 1, id="small-enough"),
        pytest.param(20, 0, 100, MAX_DELETED, id="some-at-a-time"),
        pytest.param(50, 0, 50, 0, id="never-all"),
    ],
)
def test_how_much_goes_at_once(count: int, left: int, total: int, gone: int) -> None:
    findings = many(count, left)
    assert len(due(findings, total, GRACE, NOW + GRACE)) == gone
    assert bool(too_many(findings, total)) is (gone == 0)
    assert due(findings, total, GRACE, NOW + GRACE - HOUR) == []
    assert due([f.replace(told_at=None) for f in findings], total, GRACE, NOW + GRACE) == []


def test_what_azure_does_not_delete_is_told_and_keeps_nothing_else_from_going() -> None:
    stuck = [each.replace(stuck="no role", message="") for each in many(MAX_DELETED)]
    later = [each.replace(id=f"later{each.id}", since=NOW + HOUR) for each in many(2)]
    going = due([*stuck, *later], 100, GRACE, NOW + 2 * GRACE)
    assert [each.id for each in going[:2]] == ["later0", "later1"]
    assert len(going) == MAX_DELETED
    seen = look(stuck[0], NOW + HOUR)
    assert (seen.stuck, seen.message, seen.told_at) == ("no role", "", NOW)
    assert text.line(seen, GRACE).endswith("UTC. It could not be deleted: no role")
    assert not look(seen, NOW + 2 * HOUR, "in use").stuck


def test_who_was_told_while_nothing_was_deleted_is_told_anew() -> None:
    known = Findings(findings=tuple(many(1)))
    (finding,) = known.on_the_way(NOW + GRACE, deletes=True).findings
    assert (finding.message, finding.told_at, finding.since) == ("", None, NOW + GRACE)
    same = Findings(findings=tuple(many(1)), deletes=True)
    assert same.on_the_way(NOW + GRACE, deletes=True) == same


@pytest.mark.parametrize(
    ("deliveries", "message", "heard"),
    [
        pytest.param({}, "", False, id="nobody-to-tell"),
        pytest.param({"a": Delivery(attempts=1)}, "m", False, id="not-yet"),
        pytest.param({"a": Delivery(gave_up=True)}, "", False, id="nobody-takes-it"),
        pytest.param(
            {"a": Delivery(gave_up=True), "b": Delivery(sent_at=NOW)}, "m", True, id="one"
        ),
    ],
)
def test_it_counts_whether_somebody_got_the_message(
    deliveries: dict[str, Delivery], message: str, heard: bool
) -> None:
    sent = Message(key="m", event="e", title="t", text="t", at=NOW, deliveries=deliveries)
    (finding,) = told([look(None, NOW).replace(message="m")], [sent])
    assert (finding.message, finding.told_at) == (message, NOW if heard else None)


def test_what_people_are_told() -> None:
    findings = [*many(1), *many(25, 1)]
    message = text.found(findings, SPACE, GRACE, NOW)
    assert message.title == "sweep of w: 27 resources belong to nothing"
    first, *_, more = message.text.splitlines()
    assert first == (
        "endpoint other (bot 1): it is nobody's; no requests since 2025-12-31 00:00 UTC. "
        "It is deleted after 2026-01-04 00:00 UTC"
    )
    assert more == "and 7 more: see 'tuneops sweep'"
    assert message.following.endswith("what has a tag tuneops.keep is left alone")
    (left,) = many(0, 1)
    assert text.line(left, GRACE).endswith("it is nobody's. It is left: somebody else's")
    assert "It is deleted" not in text.line(findings[0], None)


# Bringing back

PARTS: tuple[dict[str, Any], ...] = (
    {
        "id": OTHER.id,
        "location": "eastus",
        "kind": "Managed",
        "sku": None,
        "tags": {"tuneops.project": "bot"},
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {"/i": {"clientId": "c"}}},
        "properties": {
            "authMode": "Key",
            "traffic": {"blue": 100, "lost": 0},
            "provisioningState": "Succeeded",
            "properties": {"azureml.onlineendpointid": "x", "AzureAsyncOperationUri": "u"},
        },
    },
    {"id": f"{OTHER.id}/deployments/blue", "properties": {"model": "/m", "instanceType": "D"}},
)
ORDER = Restoration(by="Ada", reason="demo", at=NOW)


def record(parts: tuple[dict[str, Any], ...] = PARTS) -> Record:
    finding = look(None, NOW).replace(resource=parts[0]["id"])
    return Record(finding=finding, environment="", at=NOW, parts=parts)


def there(part: dict[str, Any], state: str = "Succeeded", **more: Any) -> dict[str, Any]:
    return {**part, "properties": {**part["properties"], "provisioningState": state, **more}}


def test_an_endpoint_comes_back_before_its_deployments_before_its_traffic() -> None:
    """Whatever is interrupted: the next look goes on with what is there."""
    seen: dict[str, Any] = {part["id"]: None for part in PARTS}
    order, begun = ORDER, []
    for _ in range(20):
        step = next_step(record(), order, seen)
        if isinstance(step, End):
            break
        if isinstance(step, Look):
            waited = next(k for k, v in seen.items() if v and "Creating" in str(v))
            seen[waited] = {**seen[waited], "properties": {**seen[waited]["properties"]}}
            seen[waited]["properties"]["provisioningState"] = "Succeeded"
            continue
        begun.append(step.mark)
        state = "Succeeded" if step.mark == TRAFFIC else "Creating"
        seen[step.id] = there({"id": step.id, **step.body}, state)
        order = order.replace(begun=(*order.begun, step.mark))
    assert isinstance(step, End)
    assert not step.failed
    assert begun == [PARTS[0]["id"], PARTS[1]["id"], TRAFFIC]
    endpoint = seen[OTHER.id]
    assert endpoint["tags"][names.TAG_KEEP] == "restored by Ada on 2026-01-01 (demo)"
    assert endpoint["identity"]["userAssignedIdentities"] == {"/i": {}}
    assert endpoint["properties"]["traffic"] == {"blue": 100}
    assert endpoint["properties"]["properties"] == {}


@pytest.mark.parametrize(
    ("order", "seen", "said"),
    [
        pytest.param(ORDER, {OTHER.id: there(PARTS[0])}, "is there already", id="somebody-elses"),
        pytest.param(
            ORDER.replace(begun=(OTHER.id,)),
            {OTHER.id: there(PARTS[0], "Failed")},
            "is Failed: see why",
            id="azure-fails",
        ),
        pytest.param(
            ORDER.replace(begun=(*(part["id"] for part in PARTS), TRAFFIC)),
            {part["id"]: there(part, traffic={}) for part in PARTS},
            "its traffic is not",
            id="traffic-does-not-move",
        ),
    ],
)
def test_why_a_restoration_fails(order: Restoration, seen: dict[str, Any], said: str) -> None:
    step = next_step(record(), order, seen)
    assert isinstance(step, End)
    assert step.failed
    assert said in step.said


def test_a_second_order_goes_on_with_what_the_first_began() -> None:
    again = ORDER.replace(earlier=(OTHER.id,))
    step = next_step(record(), again, {OTHER.id: there(PARTS[0], "Failed")})
    assert isinstance(step, Put)
    assert step.id == OTHER.id


def test_a_deployment_needs_its_endpoint() -> None:
    alone = record((PARTS[1],))
    step = next_step(alone, ORDER, {PARTS[1]["id"]: None, OTHER.id: None})
    assert isinstance(step, End)
    assert "endpoint other has gone" in step.said
    step = next_step(alone, ORDER, {PARTS[1]["id"]: None, OTHER.id: PARTS[0]})
    assert isinstance(step, Put)
