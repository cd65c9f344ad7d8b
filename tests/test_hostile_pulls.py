"""Pull requests of somebody who means harm: each is refused with its reason and changes nothing."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.cloud import Cloud, config
from tests.planned import NOW, release
from tuneops import documents
from tuneops.azureml import endpoints
from tuneops.project import Project
from tuneops.queue import PullRequestRequest, RepositoryRequest
from tuneops.release import Phase
from tuneops.review import review_pull_request
from tuneops.services import Services
from tuneops.sync import sync_repository

pytestmark = pytest.mark.slow

ENDPOINT = "victim-endpoint"

Write = Callable[[Path], None]


def text(content: str | bytes, name: str = "evil.yaml") -> Write:
    """A file with this content in the folder of configs."""
    data = content if isinstance(content, bytes) else content.encode()

    def write(root: Path) -> None:
        file = root / "finetune" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    return write


def link(name: str, target: str) -> Write:
    """A symbolic link."""

    def write(root: Path) -> None:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.symlink_to(target)

    return write


def evil(**changes: object) -> str:
    """A good config but for what is changed."""
    return yaml.safe_dump(config("evil", **changes))


LAUGHS = "a: &a [lol, lol]\n" + "".join(
    f"{name}: &{name} [*{before}, *{before}, *{before}, *{before}, *{before}, *{before}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

HOSTILE = {
    "a link to a secret of the machine": (
        link("finetune/evil.yaml", "/etc/passwd"),
        "finetune/evil.yaml:1: is a symbolic link; put the file itself here",
    ),
    "a link out of the folder": (
        link("finetune/evil.yaml", "../../.ssh/config.yaml"),
        "is a symbolic link",
    ),
    "the policy as a link": (link("tuneops-policy.yaml", "/dev/null"), "is a symbolic link"),
    "a link to a folder": (
        link("finetune/more.yaml", "/etc"),
        "finetune/more.yaml:1: is a symbolic link",
    ),
    "a billion laughs": (text(LAUGHS), "finetune/evil.yaml:1: anchors and aliases are not allowed"),
    "an anchor": (text(evil() + "more: &x 1\n"), "anchors and aliases are not allowed"),
    "an alias": (text(evil() + "more: *x\n"), "anchors and aliases are not allowed"),
    "a merge key": (
        text(evil() + "<<: {name: other}\n"),
        "keys must be plain words",
    ),
    "a tag that runs code": (
        text(evil() + "x: !!python/object/apply:os.system [id]\n"),
        "could not determine a constructor",
    ),
    "a tag nobody knows": (text("name: !secret x\n"), "could not determine a constructor"),
    "ten megabytes": (text("# " + "x" * 10_000_000), "is larger than 256 KiB"),
    "brackets without end": (text("[" * 200_000), "nested deeper than 20 levels"),
    "a key twice": (text(evil() + "name: other\n"), "name"),
    "bytes that are no text": (text(b"name: \xff\xfe\n"), "is not UTF-8"),
    "a project's name that leaves its place": (
        text(evil().replace("name: evil", "name: ../victim")),
        "finetune/evil.yaml:",
    ),
    "another project's name": (
        text(yaml.safe_dump(config("victim"))),
        "name: 'victim' is taken by finetune/victim.yaml",
    ),
    "another project's endpoint": (
        text(evil(endpoint={"name": ENDPOINT})),
        f"endpoint {ENDPOINT} exists",
    ),
    "data outside of the container": (text(evil(data={"path": "../state/"})), "data.path"),
    "data by an address": (text(evil(data={"path": "https://evil.example/x"})), "data.path"),
    "TuneOps's own tags": (
        text(evil(endpoint={"tags": {"tuneops.project": "victim"}})),
        "tuneops.project is a name that TuneOps sets itself",
    ),
}


@pytest.fixture(scope="module")
def tracked(azure: Cloud) -> Cloud:
    """A repository whose tracked branch has a project."""
    azure.merge({"victim.yaml": config("victim", endpoint={"name": ENDPOINT})})
    return azure


@pytest.fixture
def victim(tracked: Cloud, working: Services) -> None:
    """That project with its endpoint."""
    sync_repository(RepositoryRequest(), working)
    made = release(f"endpoint: {{name: {ENDPOINT}}}\n", "victim")
    made = made.advance(Phase.FAILED, NOW, "it is a test's")
    if endpoints.observe(working.workspace, ENDPOINT, "victim") is None:
        endpoints.begin_create(working.workspace, made)
    working.store.write(documents.release("victim", made.number), made, etag=None)
    project = Project(name="victim", current=made.number, endpoints=(ENDPOINT,))
    working.store.write(documents.project("victim"), project, etag=None)


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_pull_request_is_refused_and_changes_nothing(
    azure: Cloud, working: Services, victim: None, tmp_path: Path, case: str
) -> None:
    write, reason = HOSTILE[case]
    before = everything(working)
    head = push(azure, tmp_path / "clone", write, branch := f"evil-{list(HOSTILE).index(case)}")
    pull = azure.github("pulls", {"title": case, "head": branch, "base": "main"})["number"]

    review_pull_request(PullRequestRequest(number=pull), working)

    (status,) = azure.github(f"commits/{head}/statuses")
    assert (status["context"], status["state"]) == ("tuneops/plan", "failure")
    (comment,) = azure.github(f"issues/{pull}/comments")
    assert reason in comment["body"]
    assert "root:" not in comment["body"]
    assert everything(working) == before


def everything(services: Services) -> dict[str, str]:
    """Every document that there is, by its path, but for the note that there was a review."""
    listed = {each.path: each.etag for each in services.store.listed("")}
    listed.pop(documents.reviews(""), None)
    return listed


def push(azure: Cloud, clone: Path, write: Write, branch: str) -> str:
    """Push what `write` makes of a fresh clone to a branch; gives the commit."""

    def git(*arguments: str) -> str:
        line = ["git", "-C", str(clone), "-c", "user.name=Eve", "-c", "user.email=e@evil.example"]
        done = subprocess.run([*line, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    origin = azure.connection["github"]["repository_path"]
    subprocess.run(["git", "clone", "-q", origin, str(clone)], check=True, env=os.environ)
    write(clone)
    git("add", "-A")
    git("commit", "-qm", "Innocent change")
    git("push", "-q", "origin", f"HEAD:{branch}")
    return git("rev-parse", "HEAD")
