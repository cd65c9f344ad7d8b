"""Changes that somebody brought who may not: they are not taken, and what was before stays. Pure.

A change is judged when it comes, by the policy as it is then, and again at each look while it is
not taken. A change of the policy is judged by the one it would replace, so nobody lifts a rule that
binds them.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tuneops.changes import why_not
from tuneops.config_file import InvalidConfigError, parse_config
from tuneops.gitops.repository import FileState, Refusal, Repository, few
from tuneops.gitops.snapshot import File, Snapshot
from tuneops.message import Message
from tuneops.names import project_key
from tuneops.notify.plain import fitted
from tuneops.policy import FILE as POLICY_FILE
from tuneops.policy import Policy, who_may_not
from tuneops.policy_file import parse_policy

Ask = Callable[[set[str]], Mapping[str, str]]


@dataclass(frozen=True)
class Change:
    """A file that is not as it was taken last; `sha` is empty for one that is gone.

    `fresh`: it is not as it was seen last either.
    """

    path: str
    sha: str
    projects: tuple[str, ...]
    fresh: bool


@dataclass(frozen=True)
class Admitted:
    """The commit as it is taken, with the contents of what is new in it.

    `judged` is the commit up to which it is known who brought what mattered: what is not known yet
    is asked again from there. `brought` are the logins by path.
    """

    snapshot: Snapshot
    contents: Mapping[str, bytes]
    judged: str
    refused: dict[str, Refusal] = field(default_factory=dict)
    brought: dict[str, str] = field(default_factory=dict)

    def noted(self, before: Repository, now: Repository, at: datetime) -> Repository:
        """The repository as it was read, with what was not taken, and word of that."""
        noted = now.replace(refused=self.refused, judged=self.judged)
        told = few(complaints(before, noted, at), noted)
        return noted.replace(outbox=(*noted.outbox, *told))


def admit(
    before: Repository, snapshot: Snapshot, contents: Mapping[str, bytes], ask: Ask
) -> Admitted:
    """What is taken of a commit; `contents` holds its changed files.

    `ask` gives who brought files, by path, empty where that can't be told.
    """
    found = changes(before, snapshot, contents)
    own = [change for change in found if change.path == POLICY_FILE]
    others = [change for change in found if change.path != POLICY_FILE]
    policy, brought = before.policy, known(found, before)

    def judged(some: list[Change]) -> dict[str, Refusal]:
        if paths := questions(policy, some, brought):
            brought.update(ask(paths))
        return judge(policy, some, brought)

    refused = judged(own)
    if not refused:
        policy = next_policy(before, snapshot, contents)
    refused = _but_moved(refused | judged(others), found)
    open_still = any(not refusal.by for refusal in refused.values())
    return Admitted(
        without(before, snapshot, refused),
        {path: content for path, content in contents.items() if path not in refused},
        before.known_until if open_still else snapshot.commit,
        refused,
        brought,
    )


def changes(
    repository: Repository, snapshot: Snapshot, contents: Mapping[str, bytes]
) -> list[Change]:
    """What is not as it was taken; `contents` holds the changed files that can be read."""
    now = {file.path: file.sha for file in snapshot.files}
    found = []
    for path in sorted(now.keys() | repository.files.keys()):
        state, sha = repository.files.get(path), now.get(path, "")
        if sha == (state.sha if state else ""):
            continue
        refused = repository.refused.get(path)
        fresh = refused is None or refused.sha != sha
        projects = tuple(_projects(path, state, contents.get(path), repository.environment))
        found.append(Change(path, sha, projects, fresh))
    return found


def questions(policy: Policy, found: list[Change], answered: Collection[str]) -> set[str]:
    """The changed files of which it matters who brought them, and is not known yet."""
    return {each.path for each in found if each.path not in answered and _why(policy, each, "")}


def known(found: list[Change], repository: Repository) -> dict[str, str]:
    """Who brought the changes that were refused before, as far as that is known, by path."""
    refusals = {each.path: repository.refused[each.path] for each in found if not each.fresh}
    return {path: refusal.by for path, refusal in refusals.items() if refusal.by}


def judge(policy: Policy, found: list[Change], brought: Mapping[str, str]) -> dict[str, Refusal]:
    """The changes that are not taken, by path; `brought` has the logins of who brought them."""
    refused = {}
    for change in found:
        by = brought.get(change.path, "")
        if why := _why(policy, change, by):
            refused[change.path] = Refusal(
                sha=change.sha,
                by=by,
                project=change.projects[0] if change.projects else "",
                why=why,
                told=bool(by) or not change.fresh,
            )
    return refused


def _but_moved(refused: dict[str, Refusal], found: list[Change]) -> dict[str, Refusal]:
    """Without the removals of files whose projects others have now, by those who may."""
    held = {p for each in found if each.sha and each.path not in refused for p in each.projects}
    return {path: each for path, each in refused.items() if each.sha or each.project not in held}


def next_policy(
    repository: Repository, snapshot: Snapshot, contents: Mapping[str, bytes]
) -> Policy:
    """The policy that the commit brings; the one in force where that can't be read."""
    if POLICY_FILE not in {file.path for file in snapshot.files}:
        return Policy()
    content = contents.get(POLICY_FILE)
    if content is None:
        return repository.policy
    try:
        return parse_policy(content, POLICY_FILE)
    except InvalidConfigError:
        return repository.policy


def complaints(before: Repository, now: Repository, at: datetime) -> Iterator[Message]:
    """One message for each change that is not taken, of an unknown maker's at the second look."""
    for path, refusal in now.refused.items():
        earlier = before.refused.get(path)
        if not refusal.told or (earlier and earlier.told and earlier.sha == refusal.sha):
            continue
        subject = refusal.project or project_key(now.environment, "policy")
        what = path if refusal.sha else f"the removal of {path}"
        told = Message(
            key=f"refused:{path}:{refusal.sha or 'removed'}:{now.commit}",
            event="config_invalid",
            title=f"{subject}: {what} is not acted on",
            text=refusal.why,
            at=at,
            commit=now.commit,
            severity="warning",
            project=refusal.project,
            environment=now.environment,
            following="all goes on as it was taken last: somebody who may has to change the file",
        )
        yield fitted(told)


def without(repository: Repository, snapshot: Snapshot, paths: Mapping[str, object]) -> Snapshot:
    """The commit as it would be if the files at these paths were as they were taken last."""
    files = {file.path: file for file in snapshot.files if file.path not in paths}
    for path in paths:
        if state := repository.files.get(path):
            files[path] = File(path, state.sha)
    ordered = tuple(files[path] for path in sorted(files))
    return Snapshot(snapshot.commit, ordered, snapshot.message)


def _projects(
    path: str, state: FileState | None, content: bytes | None, environment: str
) -> Iterator[str]:
    """The projects that the file was and is about."""
    if path == POLICY_FILE:
        return
    before = state.project if state else ""
    if before:
        yield before
    try:
        named = parse_config(content, path).name if content is not None else ""
    except InvalidConfigError:
        return
    if named and project_key(environment, named) != before:
        yield project_key(environment, named)


def _why(policy: Policy, change: Change, by: str) -> str:
    """Why somebody may not bring a change, empty if they may."""
    if change.path == POLICY_FILE:
        logins = policy.policy.by if policy.policy else None
        return why_not(logins, by, POLICY_FILE, "its policy.by")
    reasons = (who_may_not(policy, project, by) for project in change.projects)
    return next(filter(None, reasons), "")
