"""From commits to what is desired: nothing that is live depends on a typo."""

from datetime import UTC, datetime, timedelta

import pytest

from tuneops.desired import Desired
from tuneops.gitops.repository import (
    MAX_ERRORS,
    MAX_TOLD,
    Reading,
    Repository,
    changed_files,
    is_skipped,
    read_commit,
    reading_of,
)
from tuneops.gitops.snapshot import File, Snapshot
from tuneops.policy import Policy

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def text(name: str, extra: str = "") -> str:
    return f"name: {name}\nmodel: {{name: Phi}}\ndata: {{path: {name}}}\n{extra}"


def commit(
    before: Repository, files: dict[str, str], number: int = 1, problem: str = ""
) -> tuple[Repository, dict[str, Desired]]:
    """The repository after a commit that has these files."""
    listed = tuple(File(path, str(hash(content)), problem) for path, content in files.items())
    snapshot = Snapshot(f"{number:040d}", listed)
    changed = changed_files(before, snapshot)
    contents = {path: content.encode() for path, content in files.items() if path in changed}
    after, desired = read_commit(before, snapshot, contents, NOW)
    return after, {wanted.project: wanted for wanted in desired}


@pytest.mark.parametrize(
    ("message", "skipped"),
    [
        ("Change", False),
        ("tuneops: skip", True),
        ("Change\n\nTuneOps:skip \nSigned-off-by: Ada", True),
        ("Change\r\n\r\ntuneops: skip\r\n", True),
        ("Say tuneops: skip where it helps", False),
        ("tuneops: skipped", False),
    ],
)
def test_a_line_of_the_message_skips_a_commit(message: str, skipped: bool) -> None:
    assert is_skipped(message) is skipped


@pytest.mark.parametrize(
    ("of", "hours", "counts"),
    [("here", 1, True), ("here", 23, True), ("here", 24, False), ("elsewhere", 1, False)],
)
def test_a_reading_counts_for_a_day_and_for_the_same_files(
    of: str, hours: int, counts: bool
) -> None:
    reading = Reading(of="here", etag="e", at=NOW)
    repository = Repository(commit="c", reading=reading)
    known = reading_of(repository, of, NOW + timedelta(hours=hours))
    assert known == (reading if counts else None)
    assert reading_of(Repository(commit="c"), of, NOW) is None


def test_added_changed_and_deleted_files() -> None:
    one, added = commit(Repository(), {"a.yaml": text("aa"), "b.yaml": text("bb")})
    assert set(added) == {"aa", "bb"}
    two, changed = commit(
        one, {"a.yaml": text("aa"), "b.yaml": text("bb", "compute: {nodes: 2}\n")}, 2
    )
    assert set(changed) == {"bb"}
    assert changed["bb"].commit == f"{2:040d}"
    three, deleted = commit(two, {"a.yaml": text("aa")}, 3)
    assert [(d.project, d.config) for d in deleted.values()] == [("bb", None)]
    assert commit(three, {"a.yaml": text("aa")}, 4)[1] == {}


def test_a_broken_file_keeps_its_project_and_is_complained_of_once() -> None:
    one, _ = commit(Repository(), {"a.yaml": text("aa")})
    two, desired = commit(one, {"a.yaml": text("aa", "x: 1\n")}, 2)
    assert desired == {}
    assert two.projects == {"aa"}
    assert two.projects_with_data("aa/x.jsonl") == {"aa"}
    (complaint,) = two.outbox
    assert "a.yaml:4: x: unknown key" in complaint.text
    assert commit(two, {"a.yaml": text("aa", "x: 1\n")}, 3)[0].outbox == two.outbox
    _, mended = commit(two, {"a.yaml": text("aa")}, 4)
    assert set(mended) == {"aa"}


POLICY = "tuneops-policy.yaml"


def test_a_policy_is_in_force_until_another_one_can_be_read_or_its_file_is_gone() -> None:
    one, desired = commit(Repository(), {"a.yaml": text("aa"), POLICY: "max_nodes: 2\n"})
    assert set(desired) == {"aa"}
    assert one.policy == Policy(max_nodes=2)
    two, desired = commit(one, {"a.yaml": text("aa"), POLICY: "max_node: 1\n"}, 2)
    assert desired == {}
    assert two.policy == Policy(max_nodes=2)
    (complaint,) = two.outbox
    assert complaint.title == "policy: tuneops-policy.yaml is not valid"
    assert complaint.text.startswith("tuneops-policy.yaml:1: max_node: unknown key; did you mean")
    assert complaint.commit == f"{2:040d}"
    three, _ = commit(two, {"a.yaml": text("aa"), POLICY: "max_node: 1\n"}, 3)
    assert three.outbox == two.outbox
    assert three.policy == Policy(max_nodes=2)
    assert commit(three, {"a.yaml": text("aa")}, 4)[0].policy == Policy()
    assert commit(three, {POLICY: ""}, 4)[0].policy == Policy()


def test_what_was_never_a_policy_forbids_nothing() -> None:
    after, _ = commit(Repository(), {POLICY: "max_nodes: 1\n"}, problem="is a symbolic link")
    assert after.policy == Policy()
    assert after.files[POLICY].errors == ("tuneops-policy.yaml:1: is a symbolic link",)


def test_a_project_may_move_to_another_file() -> None:
    one, _ = commit(Repository(), {"a.yaml": text("aa")})
    _, desired = commit(one, {"z.yaml": text("aa")}, 2)
    assert desired["aa"].path == "z.yaml"
    assert desired["aa"].config is not None


def test_a_renamed_project_is_another_project() -> None:
    one, _ = commit(Repository(), {"a.yaml": text("aa")})
    _, desired = commit(one, {"a.yaml": text("bb")}, 2)
    assert desired["aa"].config is None
    assert desired["bb"].config is not None


def test_whoever_has_a_name_first_keeps_it() -> None:
    one, _ = commit(Repository(), {"m.yaml": text("aa")})
    two, desired = commit(
        one, {"a.yaml": text("aa", "compute: {nodes: 2}\n"), "m.yaml": text("aa")}, 2
    )
    assert desired == {}
    assert "is taken by m.yaml" in two.files["a.yaml"].errors[0]


def test_of_a_file_of_errors_the_first_are_remembered() -> None:
    wrong = "".join(f"wrong_{number}: 1\n" for number in range(1000))
    errors = commit(Repository(), {"a.yaml": text("aa", wrong)})[0].files["a.yaml"].errors
    assert len(errors) == MAX_ERRORS + 1
    assert errors[-1] == f"a.yaml:1: has {1000 - MAX_ERRORS} more errors"


def test_many_broken_files_are_told_of_in_a_few_messages() -> None:
    files = {f"{number:03}.yaml": "name: x\n" for number in range(100)}
    one, _ = commit(Repository(environment="staging"), files)
    assert len(one.outbox) == len({message.key for message in one.outbox}) == MAX_TOLD
    more = f"staging.config: {101 - MAX_TOLD} more files are not acted on"
    assert one.outbox[-1].title == more
    few = dict(list(files.items())[:MAX_TOLD])
    assert "more" not in commit(Repository(), few)[0].outbox[-1].title


def test_a_project_may_move_in_two_steps() -> None:
    one, _ = commit(Repository(), {"a.yaml": text("aa")})
    two, desired = commit(one, {"a.yaml": text("aa"), "z.yaml": text("aa", "suspend: true\n")}, 2)
    assert desired == {}
    assert len(two.outbox) == 1
    same, desired = commit(two, {"a.yaml": text("aa"), "z.yaml": text("aa", "suspend: true\n")}, 3)
    assert (same.outbox, desired) == (two.outbox, {})
    three, desired = commit(same, {"z.yaml": text("aa", "suspend: true\n")}, 4)
    config = desired["aa"].config
    assert (desired["aa"].path, config and config.suspend) == ("z.yaml", True)
    assert three.files["z.yaml"].errors == ()
    assert commit(three, {"z.yaml": text("aa", "suspend: true\n")}, 5)[1] == {}


@pytest.mark.parametrize("other", ["a.yaml", "z.yaml"])
def test_a_name_that_its_file_gives_up_may_be_taken_in_the_same_commit(other: str) -> None:
    one, _ = commit(Repository(), {"m.yaml": text("aa")})
    two, desired = commit(one, {"m.yaml": text("bb"), other: text("aa")}, 2)
    assert {key: wanted.path for key, wanted in desired.items()} == {"aa": other, "bb": "m.yaml"}
    assert all(wanted.config for wanted in desired.values())
    assert two.outbox == ()


def test_two_files_may_swap_their_names() -> None:
    one, _ = commit(Repository(), {"a.yaml": text("aa"), "b.yaml": text("bb")})
    _, desired = commit(one, {"a.yaml": text("bb"), "b.yaml": text("aa")}, 2)
    assert {key: wanted.path for key, wanted in desired.items()} == {"aa": "b.yaml", "bb": "a.yaml"}


def test_a_file_that_gets_no_other_name_keeps_its_own() -> None:
    one, _ = commit(Repository(), {"a.yaml": text("aa"), "m.yaml": text("mm")})
    files = {"a.yaml": text("aa"), "b.yaml": text("mm"), "m.yaml": text("aa")}
    two, desired = commit(one, files, 2)
    assert desired == {}
    assert two.projects == {"aa", "mm"}
    assert two.files["b.yaml"].errors == ("b.yaml:1: name: 'mm' is taken by m.yaml",)


def test_projects_of_an_environment_are_called_by_it() -> None:
    files = {"a.yaml": text("aa"), "b.yaml": text("bb"), "c.yaml": "name: cc\n"}
    one, added = commit(Repository(environment="staging"), files)
    assert set(added) == one.projects == {"staging.aa", "staging.bb"}
    assert one.projects_with_data("aa/1.jsonl") == {"staging.aa"}
    (told,) = one.outbox
    assert told.title == "staging.config: c.yaml is not valid"
    two, gone = commit(one, {"a.yaml": "nonsense", "c.yaml": text("aa")}, 2)
    assert {key: wanted.config for key, wanted in gone.items()} == {"staging.bb": None}
    assert two.files["c.yaml"].errors == ("c.yaml:1: name: 'aa' is taken by a.yaml",)
    subjects = [message.title.partition(": ")[0] for message in two.outbox]
    assert subjects == ["staging.config", "staging.aa", "staging.config"]


def test_a_link_is_refused() -> None:
    after, desired = commit(Repository(), {"a.yaml": text("aa")}, problem="is a symbolic link")
    assert desired == {}
    assert after.files["a.yaml"].errors == ("a.yaml:1: is a symbolic link",)
