"""The answers to an evaluation set, as a file of JSON Lines beside the prepared data."""

from collections.abc import Iterable

from azure.core.exceptions import ResourceNotFoundError
from pydantic import ValidationError

from tuneops.azureml.scoring import Reply
from tuneops.behaviour.progress import Asked, Example
from tuneops.behaviour.rows import Row
from tuneops.data.errors import is_no_blob, storage_errors
from tuneops.data.prepare import Storage
from tuneops.document import Document
from tuneops.release import Release
from tuneops.scrub import scrub

MAX_TEXT = 2_000
MAX_EXAMPLE_TEXT = 300
MAX_EXAMPLES = 3


class Answer(Document):
    """What a deployment said to one question; rows are counted from 1, texts are cut."""

    row: int
    deployment: str
    question: str
    expected: str
    answer: str
    score: float | None
    status: int
    seconds: float


def answer_of(
    place: int, row: Row, deployment: str, reply: Reply, score: float | None, secret: str
) -> Answer:
    """The answer to the row at this place, counted from 0, without the endpoint's secret."""
    return Answer(
        row=place + 1,
        deployment=deployment,
        question=scrub(row.messages[-1].content)[:MAX_TEXT],
        expected=scrub(row.pattern or " | ".join(row.expected))[:MAX_TEXT],
        answer=scrub(reply.text, [secret])[:MAX_TEXT],
        score=score,
        status=reply.status,
        seconds=round(reply.seconds, 3),
    )


def path_of(release: Release, place: int) -> str:
    """Where the answers to the set at this place are, in the container for prepared data."""
    name = release.config.behaviour.sets[place].name.replace(" ", "-")
    return f"{release.project}/behaviour/{release.number:06}/{place + 1}-{name}.jsonl"


def add(storage: Storage, path: str, before: Asked, new: Iterable[Answer], deployment: str) -> None:
    """Add answers to a file that may hold some of an attempt that came to nothing: those go.

    `before` is the set as it was asked until now, `deployment` the new one.
    """
    kept = (each for each in read(storage, path) if _is_known(each, before, deployment))
    lines = (each.model_dump_json() for each in (*kept, *new))
    with storage_errors(f"container {storage.prepared}"):
        blob = storage.blobs.get_blob_client(storage.prepared, path)
        blob.upload_blob("".join(f"{line}\n" for line in lines).encode(), overwrite=True)


def read(storage: Storage, path: str) -> list[Answer]:
    """The answers in a file; none when there is no such file, or somebody else wrote it."""
    with storage_errors(f"container {storage.prepared}"):
        blob = storage.blobs.get_blob_client(storage.prepared, path)
        try:
            lines = blob.download_blob().readall().splitlines()
        except ResourceNotFoundError as error:
            if not is_no_blob(error):
                raise
            return []
    try:
        return [Answer.model_validate_json(line) for line in lines]
    except ValidationError:
        return []


def worst(found: Iterable[Answer], deployment: str) -> tuple[Example, ...]:
    """The answers of a deployment that speak most against it, beside those of the live one."""
    known = list(found)
    live = {each.row: each for each in known if each.deployment != deployment}
    ours = [each for each in known if each.deployment == deployment]
    examples = [_example(each, live.get(each.row)) for each in ours if (each.score or 0.0) < 1]
    examples.sort(key=lambda each: (each.score - (each.live_score or 0.0), each.score, each.row))
    return tuple(examples[:MAX_EXAMPLES])


def _is_known(answer: Answer, asked: Asked, deployment: str) -> bool:
    side = asked.new if answer.deployment == deployment else asked.live
    return answer.row <= len(side.scores)


def _example(answer: Answer, live: Answer | None) -> Example:
    return Example(
        row=answer.row,
        question=answer.question[:MAX_EXAMPLE_TEXT],
        expected=answer.expected[:MAX_EXAMPLE_TEXT],
        answer=answer.answer[:MAX_EXAMPLE_TEXT],
        score=answer.score or 0.0,
        live_answer=live.answer[:MAX_EXAMPLE_TEXT] if live else "",
        live_score=live.score if live else None,
    )
