"""Asking the next questions of an evaluation set of the new deployment and of the live one.

A few seconds' worth at a time: what was answered is saved with the release before more is asked, so
a crash repeats no more than that. The answers themselves stand in a file beside the prepared data.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from tuneops import smoke
from tuneops.azureml.questions import Round, ask_in_turn
from tuneops.azureml.scoring import Door, Reply, open_door
from tuneops.behaviour import answers, record
from tuneops.behaviour.answers import Answer
from tuneops.behaviour.progress import Place, Side
from tuneops.behaviour.rows import Row
from tuneops.behaviour.scoring import score
from tuneops.behaviour.sets import read_kept
from tuneops.behaviour.settings import Score
from tuneops.config import SmokeTest
from tuneops.inheriting import inheriting
from tuneops.release import Release
from tuneops.services import Services

BATCH_SECONDS = 5.0
"""After this no question is begun any more before what was answered is saved."""
BATCH_ROWS = 32
PAUSE = timedelta(seconds=5)
"""So long a deployment that did not answer is left alone, or longer if it says so."""


@dataclass(frozen=True)
class _Asker:
    """Whoever asks the deployments of one release a set's questions."""

    release: Release
    door: Door
    score: Score
    rows: Sequence[Row]
    most: int

    def ask(self, deployment: str, side: Side) -> Round:
        """Ask a deployment its next questions."""
        settings = self.release.config.behaviour
        parameters = SmokeTest(
            do_sample=False, temperature=1.0, top_p=1.0, max_new_tokens=settings.max_new_tokens
        )
        begin = len(side.scores)
        bodies = [
            smoke.request(row.conversation, parameters)
            for row in self.rows[begin : begin + min(BATCH_ROWS, self.most)]
        ]
        return ask_in_turn(
            self.door, self.release, deployment, bodies, settings.concurrency, BATCH_SECONDS
        )

    def weigh(
        self, deployment: str, side: Side, found: Round, now: datetime
    ) -> tuple[Side, list[Answer]]:
        """The side after a round, and what its deployment said."""
        said: list[Answer] = []
        for reply in found.replies:
            place = len(side.scores)
            row = self.rows[place]
            side = self._after(side, reply, row, now)
            if len(side.scores) > place:
                given = side.scores[place]
                said.append(
                    answers.answer_of(place, row, deployment, reply, given, self.door.secret)
                )
        if found.problem:
            pause = max(PAUSE, timedelta(seconds=found.problem.seconds))
            side = side.replace(not_before=now + pause)
        return side, said

    def _after(self, side: Side, reply: Reply, row: Row, now: datetime) -> Side:
        """The side after one reply; a question that it fails at too often gets no answer."""
        if reply.status == smoke.OK:
            given = score(reply.text, row.expected, row.pattern, self.score)
            return side.replace(scores=(*side.scores, given), attempts=0, not_before=None)
        side = side.replace(
            attempts=side.attempts + 1,
            failure=f"status {reply.status}",
            not_before=now + PAUSE,
        )
        if side.attempts < self.release.config.smoke_test.attempts:
            return side
        return side.replace(scores=(*side.scores, None), attempts=0)


def ask(release: Release, s: Services, now: datetime) -> Release:
    """Ask the next questions of the set whose turn it is.

    Raises:
        DataError: the rows that are asked have gone.
        DataUnavailableError, UnavailableError: nothing can be asked now.
    """
    progress = record.progress_of(release)
    if progress.turn is None:
        raise ValueError("every question is answered")
    turn, asked = progress.turn, progress.sets[progress.turn]
    left = release.config.behaviour.max_requests - progress.requests
    deployments: dict[Place, str] = {
        place: release.deployment_name if place == "new" else progress.against or ""
        for place in asked.due(now)[:left]
    }
    rows, door = read_kept(s.storage, asked), open_door(s.workspace, release)
    asker = _Asker(release, door, asked.score, rows, left // max(1, len(deployments)))
    with ThreadPoolExecutor(2) as pool:
        sides = [asked.side(place) for place in deployments]
        rounds = list(pool.map(inheriting(asker.ask), deployments.values(), sides))
    problems = [each.problem for each in rounds if each.problem]
    if problems and not any(each.replies for each in rounds):
        raise problems[0]
    said: list[Answer] = []
    after = asked
    for (place, deployment), side, found in zip(deployments.items(), sides, rounds, strict=True):
        changed, more = asker.weigh(deployment, side, found, s.clock())
        after = after.replace(**{place: changed})
        said += more
    answers.add(s.storage, answers.path_of(release, turn), asked, said, release.deployment_name)
    requests = progress.requests + sum(each.sent for each in rounds)
    return release.replace(behaviour=progress.with_set(turn, after).replace(requests=requests))
