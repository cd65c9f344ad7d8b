"""The logs of a release's jobs and of its deployment, in bounded pieces."""

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum

from pydantic import BaseModel

from tuneops.azureml import logs
from tuneops.azureml.logs import LogFile
from tuneops.azureml.workspace import Workspace
from tuneops.reading import positions
from tuneops.reading.asked import NotThereError, services_of
from tuneops.release import Phase, Release
from tuneops.scrub import scrub
from tuneops.services import Services

MAX_BYTES = 256 * 1024
"""What one answer has at most."""
MAX_LINE = 16 * 1024
MAX_LINES = 2_000
"""What is asked of a deployment's log, of which Azure has the end alone."""


class Of(StrEnum):
    """What wrote a log."""

    JOB = "job"
    DATA = "data"
    DEPLOYMENT = "deployment"


class Piece(BaseModel):
    """Some whole lines of one file; without what looks like a secret."""

    file: str
    text: str


class Log(BaseModel):
    """The next pieces of a log; `next` is the `after` of the answer that goes on from here.

    `more`: there is more of it already. `over`: nothing comes any more once there is no more.
    `gap`: lines were lost, since more was written than is kept.
    """

    project: str
    release: int
    of: Of
    phase: str
    pieces: tuple[Piece, ...]
    next: str
    more: bool = False
    over: bool = False
    gap: bool = False


def read_log(services: Services, release: Release, of: Of, after: str) -> Log:
    """What of the log comes after a position, the beginning being the empty one.

    Raises:
        BadPositionError: the position is none.
        NotThereError: the release has no such log, or nobody knows the workspace any more.
        RefusedError, UnavailableError: the workspace can't be asked now.
    """
    name = _written_by(release, of)
    workspace = services_of(services, release.project).workspace
    begun = Log(
        project=release.project,
        release=release.number,
        of=of,
        phase=release.phase,
        pieces=(),
        next=after,
        over=_over(release, of),
    )
    if not name:
        return begun
    if of is Of.DEPLOYMENT:
        return _of_deployment(workspace, release.endpoint, name, begun)
    return _of_job(workspace, name, begun)


def _over(release: Release, of: Of) -> bool:
    """Whether what writes the log has ended, by the release's own phase."""
    ends: dict[Of, Callable[[Phase], bool]] = {
        Of.DATA: lambda phase: phase != Phase.PREPARING,
        Of.JOB: lambda phase: phase not in (Phase.PREPARING, Phase.TRAINING),
        Of.DEPLOYMENT: lambda phase: phase.ended and phase != Phase.LIVE,
    }
    return ends[of](release.phase)


def _written_by(release: Release, of: Of) -> str:
    """The job or deployment that writes the log; empty as long as there is none yet.

    Raises:
        NotThereError: the release has none.
    """
    if of is Of.DATA and release.data_job:
        return release.data_job_name
    if of is not Of.DATA and release.training:
        return release.job_name if of is Of.JOB else release.deployment_name
    if _over(release, of) or (of is Of.DATA and release.data):
        why = "its data needed none" if of is Of.DATA else f"it is {release.phase}"
        raise NotThereError(f"release {release.number} of {release.project} has no {of}: {why}")
    return ""


def _of_job(workspace: Workspace, name: str, begun: Log) -> Log:
    read = positions.decode(begun.next)
    return _of_files(logs.of_job(workspace, name), read, begun)


def _of_files(files: Sequence[LogFile], read: dict[str, int], begun: Log) -> Log:
    """The next pieces of files of which so much was read; what is not seen now may come back."""
    pieces, left, more = [], MAX_BYTES, False
    for file in files:
        place = read.get(file.key, 0)
        raw = file.read(place, left) if left else b""
        taken = _taken(raw, left, over=begun.over)
        if taken:
            pieces.append(Piece(file=file.name, text=scrub(taken.decode("utf-8", "replace"))))
            read = {**read, file.key: place + len(taken)}
        more |= len(raw) == left
        left -= len(taken)
    changes = {"pieces": tuple(pieces), "next": positions.encode(read), "more": more}
    return begun.model_copy(update=changes)


def _taken(raw: bytes, asked: int, *, over: bool) -> bytes:
    """What is shown of what was read: whole lines, as secrets are found in these.

    The rest of a line comes with its end, or when nothing comes any more; only of one that is
    longer than an answer there are parts.
    """
    if over and len(raw) < asked:
        return raw
    if len(raw) == MAX_BYTES and b"\n" not in raw:
        return positions.whole_characters(raw)
    return positions.whole_lines(raw)


def _of_deployment(workspace: Workspace, endpoint: str, name: str, begun: Log) -> Log:
    lines = logs.of_deployment(workspace, endpoint, name, MAX_LINES)
    found = positions.after_mark(lines, begun.next)
    new = lines if found is None else found
    shown = list(_bounded(new))
    if not shown:
        return begun
    until = len(lines) - len(new) + len(shown)
    text = scrub("".join(f"{line}\n" for line in shown))
    return begun.model_copy(
        update={
            "pieces": (Piece(file=name, text=text),),
            "next": positions.mark_of(lines[:until]),
            "more": until < len(lines),
            "gap": found is None,
        }
    )


def _bounded(lines: Sequence[str]) -> Iterator[str]:
    """As many lines as one answer has, of very long ones their beginnings."""
    left = MAX_BYTES
    for line in lines:
        left -= len(line[:MAX_LINE].encode()) + 1
        if left < 0:
            return
        yield line[:MAX_LINE]
