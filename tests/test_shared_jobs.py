"""Jobs that a project and its previews share: who may cancel them, what a sweep makes of them."""

import pytest

from tests.planned import NOW, come_to, desired, release
from tuneops import documents, names
from tuneops.desired import Desired
from tuneops.prepared import PreparedData
from tuneops.previews.register import Entry, Register
from tuneops.previews.sharing import shares_job
from tuneops.previews.terms import Terms
from tuneops.project import Project
from tuneops.release import Phase, Release, TrainingPlan
from tuneops.services import Services
from tuneops.sweep.kept import _family, _of
from tuneops.sweep.resource import Resource
from tuneops.sweep.survey import Survey

SPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
PREVIEW = "bot~12"


def remember(services: Services, project: str, phase: Phase, digest: str) -> Release:
    """The project's first release is in this phase, and trains what has this digest."""
    plan = TrainingPlan(base_model="m", component="c", parameters={}, digest=digest * 12)
    made = release().replace(project=project, training=plan, commit="c" * 40)
    made = come_to(made, phase, NOW, "so it is")
    store, wanted = services.store, desired().replace(project=project)
    known = Project(name=project, current=1)
    store.update(documents.desired(project), Desired, lambda _: wanted)
    store.update(documents.project(project), Project, lambda _: known)
    store.update(documents.release(project, 1), Release, lambda _: made)
    return made


def place(services: Services, key: str) -> None:
    """A preview of the project has a place."""
    number = int(key.partition("~")[2])
    entry = Entry(number=number, head="c", hours=1, since=NOW, begun=NOW, state="on")
    services.store.update(
        documents.previews(""),
        Register,
        lambda known: Register(entries={**(known.entries if known else {}), key: entry}),
    )


@pytest.mark.parametrize("own", ["bot", PREVIEW])
def test_nobody_cancels_what_another_waits_for(services: Services, own: str) -> None:
    other = PREVIEW if own == "bot" else "bot"
    place(services, PREVIEW)
    waits = remember(services, own, Phase.TRAINING, "1")
    wanted = desired().replace(project=own)
    assert not shares_job(wanted, waits, services)
    remember(services, other, Phase.TRAINING, "2")
    assert not shares_job(wanted, waits, services)
    remember(services, other, Phase.TRAINING, "1")
    assert shares_job(wanted, waits, services)
    remember(services, other, Phase.EVALUATING, "1")
    assert not shares_job(wanted, waits, services)


def test_a_job_that_ran_too_long_for_both_is_left_to_nobody(services: Services) -> None:
    """Who has noted it waits no more: of two that note it at once each cancels it."""
    place(services, PREVIEW)
    waits, other = (remember(services, key, Phase.TRAINING, "1") for key in ("bot", PREVIEW))
    wanted = desired().replace(project="bot")
    assert shares_job(wanted, waits, services)
    over = other.replace(overran=True)
    services.store.update(documents.release(PREVIEW, 1), Release, lambda _: over)
    assert not shares_job(wanted, waits, services)


@pytest.mark.parametrize("merged", [False, True])
def test_two_that_end_at_once_do_not_leave_the_job_to_each_other(
    services: Services, merged: bool
) -> None:
    terms = Terms(number=12, until=NOW, over="closed", closed=True)
    keys = (PREVIEW, "bot~13")
    for key in keys:
        place(services, key)
        remember(services, key, Phase.TRAINING, "1")
        over = desired().replace(project=key, config=None, preview=terms)
        services.store.update(documents.desired(key), Desired, lambda _, o=over: o)
    wanted, other = (services.store.read(documents.desired(key), Desired) for key in keys)
    waits = services.release(PREVIEW, 1)
    assert wanted
    assert other
    assert waits
    left = other.value.replace(preview=terms.replace(merged=merged))
    services.store.write(documents.desired("bot~13"), left, other.etag)
    assert shares_job(wanted.value, waits.value, services) is merged
    remember(services, "bot~13", Phase.TRAINING, "2")
    services.store.update(documents.desired("bot~13"), Desired, lambda _: left)
    assert not shares_job(wanted.value, waits.value, services)


def test_what_can_not_be_read_holds_up_no_project(services: Services) -> None:
    made = remember(services, "bot", Phase.TRAINING, "1")
    state = services.settings.state_container
    blobs = services.blobs.get_container_client(state)
    blobs.upload_blob(documents.previews(""), b"{", overwrite=True)
    assert not shares_job(desired(), made, services)
    place(services, PREVIEW)
    blobs.upload_blob(documents.project(PREVIEW), b"{", overwrite=True)
    assert shares_job(desired(), made, services)


def orphans(services: Services, *resources: Resource) -> list[tuple[str, str, str]]:
    """What belongs to nothing."""
    return [(r.label, why, left) for r, why, left in Survey(services, NOW).orphans(resources)]


def job(digest: str, **tags: str) -> Resource:
    return Resource(f"{SPACE}/jobs/bot-{digest * 12}", tags)


@pytest.mark.parametrize(
    ("waits", "made"),
    [
        pytest.param("bot", PREVIEW, id="the-project-waits-for-a-preview's"),
        pytest.param(PREVIEW, "bot", id="a-preview-waits-for-the-project's"),
        pytest.param("bot~13", PREVIEW, id="a-preview-waits-for-another's"),
    ],
)
def test_a_job_belongs_to_whoever_waits_for_it(services: Services, waits: str, made: str) -> None:
    by = remember(services, made, Phase.TRAINING, "2")
    remember(services, waits, Phase.TRAINING, "1")
    assert orphans(services, job("1", **by.tags)) == []
    assert orphans(services, job("3", **by.tags)) == [
        (f"job bot-{'3' * 12}", f"no release of {made} waits for it", "")
    ]


def test_a_job_of_a_preview_that_is_over_belongs_to_the_project(services: Services) -> None:
    """The documents of a preview go once it is taken down, while its project may go on with it."""
    tags = names.tags(PREVIEW, 1, "c" * 40)
    remember(services, "bot", Phase.PREPARING, "1")
    assert orphans(services, job("1", **tags)) == []
    remember(services, "bot", Phase.TRAINING, "1")
    assert orphans(services, job("1", **tags)) == []
    assert orphans(services, job("3", **tags)) == [
        (
            f"job bot-{'3' * 12}",
            "bot~12 is over",
            "a preview of pull request 12 has made it: delete it if nobody uses it",
        )
    ]


def test_a_cluster_of_a_preview_is_no_other_installations(services: Services) -> None:
    remember(services, "bot", Phase.LIVE, "1")
    tags = {**names.tags(PREVIEW, 1, "d" * 40), names.TAG_PROJECT: "bot"}
    assert orphans(services, Resource(f"{SPACE}/computes/box", tags)) == [
        (
            "cluster box",
            "no config names it",
            "a preview of pull request 12 has made it: delete it if nobody uses it",
        )
    ]


def test_data_that_a_preview_uses_is_not_left_over(services: Services) -> None:
    used = remember(services, PREVIEW, Phase.TRAINING, "1")
    data = PreparedData(digest="d", folder="bot/new", train_rows=1, test_rows=1)
    path = documents.release(PREVIEW, 1)
    services.store.update(path, Release, lambda _: used.replace(data=data))
    remember(services, "bot", Phase.TRAINING, "2")
    folders = {"bot/new": 1, "bot/old": 2}
    family = _family("bot", {"bot", PREVIEW, "bot2", "bot2~12"})
    assert set(family) == {"bot", PREVIEW}
    assert _of("bot", family, services, (), (), folders).prepared_bytes == 2
