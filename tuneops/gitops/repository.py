"""From a commit to what is desired of each project. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from tuneops.config import ProjectConfig
from tuneops.config_file import InvalidConfigError, parse_config
from tuneops.data.settings import UploadedData
from tuneops.desired import Desired
from tuneops.document import Document, Given
from tuneops.gitops.outage import Outage
from tuneops.gitops.snapshot import File, Snapshot
from tuneops.message import Message
from tuneops.names import project_key
from tuneops.notify.plain import fitted
from tuneops.policy import FILE as POLICY_FILE
from tuneops.policy import Policy
from tuneops.policy_file import parse_policy

READ_AGAIN = timedelta(days=1)
MAX_TOLD = 20
"""So many files of a commit are told of one by one; GitHub takes a thousand statuses of it."""
MAX_ERRORS = 20
_IN_FORCE = "the version before stays in force, and what is live stays live: mend the file"
_NEW = "nothing is begun by it before it is mended"
_SKIP = re.compile(r"^\s*tuneops:\s*skip\s*$", re.IGNORECASE | re.MULTILINE)


class FileState(Document):
    """A config file, or that of the policy, as it was read last.

    A file with errors keeps the project and the data folder, or the policy, of its last good
    version: nothing that is live depends on a typo. `wants` is a project that it names and that
    another file has: it gets it once that one lets go.
    """

    sha: str
    project: str = ""
    wants: str = ""
    data_path: str = ""
    policy: Given[Policy] | None = None
    errors: tuple[str, ...] = ()


class Reading(Document):
    """When the commit's files were read, `of` which source, and the ETag of its branch."""

    of: str
    etag: str
    at: datetime


class Refusal(Document):
    """A change of a file that is not taken, as of the one who brought it.

    `sha` is what the file is in git, empty when it is gone; `by` a login, empty when not known. A
    change by somebody who is not known is told of once a second look has not found out either.
    """

    sha: str
    by: str
    project: str = ""
    why: str
    told: bool = False


class Repository(Document):
    """What is remembered of a source: its files at the commit read last, messages owed.

    `origin` is what was read, by `ConfigSource.origin`; the projects are those of `environment`.
    `files` are as they were taken, `refused` is what git has in place of some; `judged` is the
    commit up to which it is known who brought what mattered. `moved_by` are the tickets of the last
    events that led to changes. `outage` is there while it can't be read.
    """

    environment: str = ""
    origin: str = ""
    commit: str = ""
    reading: Reading | None = None
    files: dict[str, FileState] = {}
    refused: dict[str, Refusal] = {}
    judged: str = ""
    outbox: tuple[Message, ...] = ()
    moved_by: tuple[str, ...] = ()
    outage: Outage | None = None

    @property
    def known_until(self) -> str:
        """From where on to ask who brought what; empty before the first files were taken."""
        return self.judged or (self.commit if self.files else "")

    @property
    def unanswered(self) -> bool:
        """Whether it is not known of a change who has brought it."""
        return any(not refusal.by for refusal in self.refused.values())

    @property
    def projects(self) -> set[str]:
        """The projects that git has a file for."""
        return {state.project for state in self.files.values() if state.project}

    @property
    def policy(self) -> Policy:
        """The policy that git has a file for, else the one that allows everything."""
        state = self.files.get(POLICY_FILE)
        return (state and state.policy) or Policy()

    def projects_with_data(self, blob: str) -> set[str]:
        """The projects whose data folder the blob is in."""
        return {
            state.project
            for state in self.files.values()
            if state.project and state.data_path and blob.startswith(state.data_path)
        }


def reading_of(repository: Repository, of: str, now: datetime) -> Reading | None:
    """The last reading, if it is one `of` the same files and no older than `READ_AGAIN`.

    A newer version of TuneOps may read other files of the same commit.
    """
    known = repository.reading
    return known if known and known.of == of and now - known.at < READ_AGAIN else None


def is_skipped(message: str) -> bool:
    """Whether a commit's message has the line ``tuneops: skip``.

    What the commit changes is not acted on before a later commit, which need not change it again.
    """
    return _SKIP.search(message) is not None


def changed_files(repository: Repository, snapshot: Snapshot) -> set[str]:
    """The paths whose contents are not known yet, or may count now."""

    def counts(file: File) -> bool:
        known = repository.files.get(file.path)
        return known is None or known.sha != file.sha or bool(known.wants)

    return {file.path for file in snapshot.files if not file.problem and counts(file)}


def read_commit(
    repository: Repository, snapshot: Snapshot, contents: Mapping[str, bytes], at: datetime
) -> tuple[Repository, list[Desired]]:
    """The repository at a new commit, and the projects of which something else is desired now.

    `contents` holds the changed files. Whoever has a project's name first keeps it, while the file
    is there and names no other.
    """
    read = {file.path: _state(file, repository, contents) for file in snapshot.files}
    owners = {state.project: path for path, state in repository.files.items() if state.project}
    held = {name: path for name, path in owners.items() if _keeps(name, path, read)}
    desired: list[Desired] = []
    for path in sorted(read, key=lambda path: (path not in repository.files, path)):
        state, config = read[path]
        owner = held.setdefault(state.project, path)
        if config and owner != path:
            taken = f"{path}:1: name: {config.name!r} is taken by {owner}"
            broken = _broken(repository.files.get(path), state.sha, [taken])
            read[path] = broken.replace(wants=state.project), None
            held.setdefault(broken.project, path)
        elif config:
            desired.append(_desired(state.project, snapshot.commit, path, config))
    files = {path: state for path, (state, _) in read.items()}
    now = repository.replace(commit=snapshot.commit, files=files)
    gone = repository.projects - now.projects
    desired += [_desired(name, snapshot.commit, owners[name], None) for name in sorted(gone)]
    told = few(_complaints(repository, now, at), now)
    return now.replace(outbox=(*repository.outbox, *told)), desired


def few(told: Iterable[Message], now: Repository) -> list[Message]:
    """The first messages about files of a commit, and one that says how many more there are."""
    told = list(told)
    first, rest = told[:MAX_TOLD], told[MAX_TOLD:]
    if rest:
        subject = project_key(now.environment, "config")
        last = first.pop()
        title = f"{subject}: {len(rest) + 1} more files are not acted on"
        key = f"more:{last.key.partition(':')[0]}:{now.commit}"
        text = "'tuneops status' says which and why"
        first.append(last.replace(key=key, title=title, text=text, project="", following=""))
    return first


def _keeps(
    name: str, path: str, read: Mapping[str, tuple[FileState, ProjectConfig | None]]
) -> bool:
    """Whether the file that has a project has it still."""
    return path in read and read[path][0].project == name


def _state(
    file: File, repository: Repository, contents: Mapping[str, bytes]
) -> tuple[FileState, ProjectConfig | None]:
    """A file as it is now, with its config if that is new."""
    before = repository.files.get(file.path)
    if file.problem:
        return _broken(before, file.sha, [f"{file.path}:1: {file.problem}"]), None
    if file.path not in contents and before:
        return before, None
    return _read(file, contents[file.path], before, repository.environment)


def _read(
    file: File, content: bytes, before: FileState | None, environment: str
) -> tuple[FileState, ProjectConfig | None]:
    try:
        if file.path == POLICY_FILE:
            return FileState(sha=file.sha, policy=parse_policy(content, file.path)), None
        config = parse_config(content, file.path)
    except InvalidConfigError as error:
        return _broken(before, file.sha, _shown(file.path, error)), None
    project = project_key(environment, config.name)
    data_path = config.data.path if isinstance(config.data, UploadedData) else ""
    return FileState(sha=file.sha, project=project, data_path=data_path), config


def _shown(path: str, error: InvalidConfigError) -> list[str]:
    """What is wrong with a file, line by line; a file of nothing but errors has thousands."""
    shown = [str(problem) for problem in error.errors[:MAX_ERRORS]]
    more = len(error.errors) - MAX_ERRORS
    return [*shown, f"{path}:1: has {more} more errors"] if more > 0 else shown


def _broken(before: FileState | None, sha: str, errors: list[str]) -> FileState:
    return (before or FileState(sha=sha)).replace(sha=sha, errors=tuple(errors), wants="")


def _desired(name: str, commit: str, path: str, config: ProjectConfig | None) -> Desired:
    return Desired(project=name, commit=commit, path=path, config=config)


def _complaints(before: Repository, now: Repository, at: datetime) -> Iterator[Message]:
    """One message for each file that has become wrong, or wrong in another way."""
    for path, state in now.files.items():
        known = before.files.get(path)
        kind = "policy" if path == POLICY_FILE else "config"
        subject = state.project or project_key(now.environment, kind)
        if state.errors and (known is None or known.errors != state.errors):
            more = f" (and {len(state.errors) - 1} more)" if len(state.errors) > 1 else ""
            told = Message(
                key=f"config_invalid:{path}:{state.sha}:{now.commit}",
                event="config_invalid",
                title=f"{subject}: {path} is not valid",
                text=f"{state.errors[0]}{more}",
                at=at,
                commit=now.commit,
                severity="warning",
                project=state.project,
                environment=now.environment,
                following=_IN_FORCE if state.project or state.policy else _NEW,
            )
            yield fitted(told)
