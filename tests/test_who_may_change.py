"""Who may change what, from a push or a merge to what is done: real git and the local GitHub."""

import sqlite3
import uuid
from contextlib import closing
from typing import Any

import pytest
import yaml

from tests.cloud import Cloud, config
from tests.planned import NOW, desired
from tests.test_policy_in_force import SERVERLESS, reconciled, synced, training
from tuneops import documents
from tuneops.azureml import jobs
from tuneops.cause import Brought
from tuneops.config_file import parse_config
from tuneops.data.prepare import find_source
from tuneops.desired import Desired
from tuneops.gitops.repository import Repository
from tuneops.orders import Pin
from tuneops.policy import Policy
from tuneops.policy_file import parse_policy
from tuneops.project import Project, Rejection
from tuneops.queue import PullRequestRequest, RepositoryRequest
from tuneops.release import Phase
from tuneops.review import review_pull_request
from tuneops.services import Services
from tuneops.status import read_status
from tuneops.sync import sync_repository

pytestmark = pytest.mark.slow
POLICY = "../tuneops-policy.yaml"
RULES = """
changes:
  - {projects: [guarded*], by: [Ada, contoso-bot]}
policy: {by: [ada]}
"""


@pytest.fixture(autouse=True)
def guarded(azure: Cloud, working: Services) -> None:
    """A guarded project and a free one, both seen once."""
    files = {f"{name}.yaml": config(name) for name in ("guarded", "free", "other")}
    azure.merge({**files, POLICY: RULES, "../run.txt": uuid.uuid4().hex})
    synced(working)


def wanted(services: Services, name: str) -> Desired:
    stored = services.store.read(documents.desired(name), Desired)
    assert stored is not None
    return stored.value


def epochs(name: str, count: int, **sections: Any) -> dict[str, Any]:
    training = {"parameters": {"num_train_epochs": count}}
    return config(name, training=training, **sections)


def count(services: Services, name: str) -> object:
    found = wanted(services, name).config
    return found and found.training.parameters.given().get("num_train_epochs")


def statuses(azure: Cloud, commit: str) -> dict[str, str]:
    listed = azure.github(f"commits/{commit}/statuses")
    return {each["context"]: f"{each['state']}: {each['description']}" for each in listed}


def repository(services: Services) -> Repository:
    stored = services.store.read(documents.repository(""), Repository)
    assert stored is not None
    return stored.value


def test_a_change_counts_once_somebody_brings_it_who_may(azure: Cloud, working: Services) -> None:
    pushed = azure.merge(
        {"guarded.yaml": epochs("guarded", 5), "free.yaml": epochs("free", 5)}, by="Bob"
    )
    assert synced(working)[1] == {"free"}
    assert (count(working, "guarded"), count(working, "free")) == (None, 5)
    assert (wanted(working, "free").by, wanted(working, "guarded").by) == (None, None)
    said = statuses(azure, pushed)
    assert said["tuneops/guarded"].startswith(
        "failure: finetune/guarded.yaml is not acted on: guarded was changed by bob, who is not in"
    )
    (status,) = read_status(working, "guarded").projects
    assert "have Ada or contoso-bot bring a change of it" in status.held_back
    assert any("guarded.yaml: guarded was changed by bob" in e for e in status_errors(working))

    # A push by Ada of something else is no change of that file.
    azure.merge({"free.yaml": epochs("free", 6)}, by="Ada")
    assert synced(working)[1] == {"free"}
    assert count(working, "guarded") is None

    azure.merge({"guarded.yaml": epochs("guarded", 6)}, by="Ada")
    assert synced(working)[1] == {"guarded"}
    assert (count(working, "guarded"), wanted(working, "guarded").by) == (6, "ada")
    assert status_errors(working) == []


def status_errors(services: Services) -> list[str]:
    return read_status(services).config_errors


def test_what_git_has_again_as_it_was_taken_is_no_change(azure: Cloud, working: Services) -> None:
    azure.merge({"guarded.yaml": epochs("guarded", 5)}, by="Bob")
    synced(working)
    assert repository(working).refused
    azure.merge({"guarded.yaml": config("guarded")}, by="Bob")
    assert synced(working)[1] == set()
    assert repository(working).refused == {}


def test_between_two_looks_the_last_who_changed_a_file_counts(
    azure: Cloud, working: Services
) -> None:
    azure.merge({"guarded.yaml": epochs("guarded", 5)}, by="Bob")
    azure.merge({"free.yaml": epochs("free", 5)}, by="Ada")
    azure.merge({"guarded-two.yaml": config("guarded-two")}, by="Bob")
    azure.merge({"guarded-two.yaml": epochs("guarded-two", 2)}, by="Ada")
    azure.merge({"guarded-three.yaml": config("guarded-three")}, "Add\n\ntuneops: skip", by="Bob")
    assert synced(working)[1] == set()
    azure.merge({"free.yaml": epochs("free", 6)}, by="Ada")
    assert synced(working)[1] == {"free", "guarded-two"}
    assert set(repository(working).refused) == {
        "finetune/guarded.yaml",
        "finetune/guarded-three.yaml",
    }
    azure.merge({"guarded-two.yaml": None, "guarded-three.yaml": None}, by="Ada")
    synced(working)


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"guarded.yaml": None}, id="removed"),
        pytest.param({"guarded.yaml": config("guarded", suspend=True)}, id="suspended"),
        pytest.param({"guarded.yaml": config("released")}, id="renamed"),
        pytest.param(
            {"guarded.yaml": None, "moved.yaml": config("guarded", suspend=True)}, id="moved"
        ),
        pytest.param({"other.yaml": config("guarded-other")}, id="becomes-guarded"),
        pytest.param({"guarded.yaml": "name: guarded\n"}, id="broken"),
    ],
)
def test_nothing_that_somebody_else_brings_is_acted_on(
    azure: Cloud, working: Services, files: dict[str, Any]
) -> None:
    before = {name: wanted(working, name) for name in ("guarded", "other")}
    known = repository(working)
    azure.merge(files, by="Bob")
    for _ in range(2):
        assert synced(working)[1] == set()
        assert {name: wanted(working, name) for name in before} == before
        assert repository(working).files == known.files
        assert repository(working).refused
    if "moved.yaml" in files:
        azure.merge({"moved.yaml": None}, by="Bob")


def test_somebody_who_may_takes_over_what_somebody_else_has_moved(
    azure: Cloud, working: Services
) -> None:
    azure.merge({"guarded.yaml": None, "moved.yaml": config("guarded")}, by="Bob")
    synced(working)
    assert wanted(working, "guarded").path == "finetune/guarded.yaml"
    azure.merge({"moved.yaml": epochs("guarded", 8)}, by="Ada")
    assert synced(working)[1] == {"guarded"}
    assert wanted(working, "guarded").path == "finetune/moved.yaml"
    assert (count(working, "guarded"), status_errors(working)) == (8, [])
    azure.merge({"moved.yaml": None}, by="Ada")


def test_people_are_told_by_which_commit_a_change_came(azure: Cloud, working: Services) -> None:
    """The head's own where it alone is new, else the one that changed the file last."""
    pushed = azure.merge({"free.yaml": epochs("free", 2)}, "Train longer\n\nReally")
    synced(working)
    assert wanted(working, "free").brought == Brought(
        commit=pushed, subject="Train longer", author="ada"
    )
    changed = azure.merge({"free.yaml": epochs("free", 3)}, "Train even longer", by="Bob")
    azure.merge({"other.yaml": epochs("other", 2)}, "Another")
    last = azure.merge({"README.md": "nothing"}, "Say nothing")
    synced(working)
    free = wanted(working, "free")
    assert (free.commit, free.brought) == (
        last,
        Brought(commit=changed, subject="Train even longer", author="bob"),
    )


def test_who_merges_a_pull_request_has_brought_it(azure: Cloud, working: Services) -> None:
    def merged(branch: str, number: int, login: str) -> None:
        azure.propose(branch, {"guarded.yaml": epochs("guarded", number)})
        pull = azure.github(
            "pulls",
            {"title": branch, "head": branch, "base": "main"},
            token=azure.token_of("bob"),
        )["number"]
        review_pull_request(PullRequestRequest(number=pull), working)
        (comment,) = azure.github(f"issues/{pull}/comments")
        assert "`guarded` may be merged by `Ada`, `contoso-bot` alone" in comment["body"]
        azure.github(f"pulls/{pull}/merge", {}, method="PUT", token=azure.token_of(login))

    merged("fifteen", 15, "bob")
    assert synced(working)[1] == set()
    assert repository(working).refused["finetune/guarded.yaml"].by == "bob"
    merged("sixteen", 16, "contoso-bot")
    assert synced(working)[1] == {"guarded"}
    assert (count(working, "guarded"), wanted(working, "guarded").by) == (16, "contoso-bot")


def test_those_whom_a_rule_binds_do_not_lift_it(azure: Cloud, working: Services) -> None:
    """The rule stays with its file gone, and a change of the same push is held against it."""
    files = {POLICY: None, "guarded.yaml": epochs("guarded", 9)}
    pushed = azure.merge(files, by="Bob")
    policy, looked_at = synced(working)
    assert (policy, looked_at) == (parse_policy(RULES, "p"), set())
    assert statuses(azure, pushed)["tuneops/policy"].startswith(
        "failure: the removal of tuneops-policy.yaml is not acted on: tuneops-policy.yaml was"
    )
    assert {each.by for each in repository(working).refused.values()} == {"bob"}

    azure.merge({POLICY: RULES.replace("Ada, ", "ada, bob, ")}, by="Ada")
    policy, _ = synced(working)
    assert policy.changes[0].by == ("ada", "bob", "contoso-bot")
    assert (count(working, "guarded"), wanted(working, "guarded").by) == (9, "bob")
    azure.merge({POLICY: "max_nodes: 2\n"}, by="Ada")
    assert synced(working)[0] == Policy(max_nodes=2)


def test_who_brought_it_is_asked_again_while_it_is_not_known(
    azure: Cloud, working: Services
) -> None:
    """GitHub's record of a push may come after the push itself."""
    changed = {"guarded.yaml": epochs("guarded", 7), "free.yaml": epochs("free", 7)}
    pushed = azure.merge(changed, by="Ada")
    with closing(sqlite3.connect(azure.state / "github" / "github.db")) as database, database:
        newest = "FROM records WHERE kind = 'Activity' ORDER BY id DESC LIMIT 1"
        (late,) = database.execute(f"SELECT * {newest}").fetchall()
        database.execute("DELETE FROM records WHERE kind = 'Activity' AND id = ?", (late[1],))
    sync_repository(RepositoryRequest(), working)
    assert (count(working, "guarded"), count(working, "free")) == (None, 7)
    assert "GitHub does not tell by whom" in status_errors(working)[0]
    assert "tuneops/guarded" not in statuses(azure, pushed)
    sync_repository(RepositoryRequest(), working)
    assert "GitHub does not tell by whom" in statuses(azure, pushed)["tuneops/guarded"]

    with closing(sqlite3.connect(azure.state / "github" / "github.db")) as database, database:
        database.execute("INSERT INTO records VALUES (?, ?, ?, ?)", late)
    azure.merge({"../run.txt": uuid.uuid4().hex}, by="Bob")
    sync_repository(RepositoryRequest(), working)
    assert (count(working, "guarded"), wanted(working, "guarded").by) == (7, "ada")
    assert status_errors(working) == []


def test_a_change_that_is_not_allowed_any_more_is_not_submitted(
    azure: Cloud, working: Services
) -> None:
    """The rules are looked at once more before the job; somebody who may brings it once more."""
    made, path = training(working, "tight"), documents.desired("tight")

    def brought(by: str) -> None:
        change = desired(SERVERLESS, "tight").replace(by=by)
        working.store.update(path, Desired, lambda _: change)

    brought("bob")
    failed = reconciled(working, "tight", RULES.replace("guarded", "tight"))
    assert failed.phase == Phase.FAILED
    assert failed.reason.startswith("the policy does not allow it: tight was changed by bob, who")
    assert jobs.observe(working.workspace, made.job_name) is None
    again = reconciled(working, "tight", RULES.replace("guarded", "tight"))
    assert again.release is not None
    assert again.release.number == 1
    brought("ada")
    again = reconciled(working, "tight", RULES.replace("guarded", "tight"))
    assert again.release is not None
    assert again.release.number == 2


def commented(azure: Cloud, services: Services, branch: str, files: dict[str, Any]) -> list[str]:
    """The comment on a pull request, and its status."""
    head = azure.propose(branch, files)
    pull = azure.github("pulls", {"title": branch, "head": branch, "base": "main"})["number"]
    review_pull_request(PullRequestRequest(number=pull), services)
    (comment,) = azure.github(f"issues/{pull}/comments")
    (status,) = statuses(azure, head).values()
    return [comment["body"], status]


def test_a_pull_request_is_told_whom_a_new_policy_would_forbid(
    azure: Cloud, working: Services
) -> None:
    rules = f"{RULES}max_instance_count: 1\n"
    large = config("free", deployment={"instance_count": 2})
    azure.merge({"free.yaml": large, POLICY: rules}, by="Ada")
    synced(working)
    stricter = rules.replace("max_instance_count", "max_epochs")
    body, status = commented(azure, working, "stricter", {POLICY: stricter})
    assert "`tuneops-policy.yaml` may be merged by `ada` alone" in body
    forbids, _, _ = body.partition("Allowed again:")
    assert "| `guarded` | newly | `training.parameters.max_steps: it overrides" in forbids
    assert "drift is not healed" in body
    assert status.startswith("success: the policy forbids ")

    body, status = commented(azure, working, "looser", {POLICY: RULES})
    assert body.endswith("Allowed again:\n\n- `free`\n\nNo project changes.")
    assert status == "success: the policy forbids 0, 0 newly, and allows 1 again"


def test_a_pull_request_is_told_of_pins_and_of_what_was_rolled_back(
    azure: Cloud, working: Services
) -> None:
    store, settings = working.store, working.settings
    bad = epochs("free", 30)
    blobs = working.blobs.get_container_client(settings.datasets_container)
    blobs.upload_blob("free/a.jsonl", b"{}")
    parsed = parse_config(yaml.safe_dump(bad), "free.yaml")
    source = find_source(working.storage, parsed)
    why = "release 2 was rolled back to release 1 by Ada on 2026-01-01 00:00 UTC"
    pin = Pin(id="p", release=1, by="Ada", at=NOW, reason="`French`")
    rejection = Rejection(release=2, config=parsed, source=source, why=why)
    project = Project(name="free", pin=pin, rejected=(rejection,))
    store.write(documents.project("free"), project, etag=None)
    body, _ = commented(azure, working, "worse", {"free.yaml": bad})
    assert "- `free`: `pinned to release 1 by Ada since 2026-01-01 00:00 UTC: 'French'" in body
    assert "takes effect when the pin ends, such as by 'tuneops rollback free --unpin'`" in body
    assert f"- `free`: `{why}; change the config or the data, or run 'tuneops retry free'`" in body
    store.update(documents.project("free"), Project, lambda _: project.replace(pin=None))
    body, _ = commented(azure, working, "better", {"free.yaml": epochs("free", 31)})
    assert "Before that happens" not in body
