"""What `tuneops.asking` and `tuneops.behaviour` do: people and deployments are asked."""

from typing import Any

from tests.simulation import consent
from tests.simulation.world import World
from tuneops import actions
from tuneops.behaviour import record as behaviour
from tuneops.behaviour.progress import Asked, Progress, Side
from tuneops.release import Release
from tuneops.rollout import approval_record, record

ROWS = 3
NO_ANSWER = 0.1
"""How often a deployment does not answer a question."""
BATCH = 2
"""So many questions are asked at a time."""
LAST = 6
"""So many questions may still be answered by somebody who has not seen the newer ones."""


def hold(world: World, action: actions.Hold, release: Release) -> Release:
    return _posted(world, record.held(release, action, world.now))


def ask_people(world: World, action: actions.AskPeople, release: Release) -> Release:
    return _posted(world, approval_record.asked(release, action, world.now))


def _posted(world: World, release: Release) -> Release:
    """A question comes to a pull request, or there is none."""
    question = release.approval
    assert question is not None
    pull = question.pull if question.pull is not None else world.chance.choice((0, 1))
    question = question.replace(pull=pull)
    world.asked = (*world.asked, (release.number, question))[-LAST:]
    return release.replace(approval=question)


def look_for_answers(world: World, action: Any, release: Release) -> Release:
    question = release.approval
    assert question is not None
    return release.replace(approval=question.replace(looked=world.now))


def take_answer(world: World, action: actions.TakeAnswer, release: Release) -> Release:
    return approval_record.answered(release, action, world.now)


def tell_overdue(world: World, action: actions.TellOverdue, release: Release) -> Release:
    return approval_record.overdue(release, action, world.now)


def read_sets(world: World, action: Any, release: Release) -> Release:
    sets = tuple(
        Asked(name=s.name, score=s.score, version="1", path="p", rows=ROWS, of=ROWS)
        for s in release.config.behaviour.sets
    )
    return release.replace(behaviour=Progress(sets=sets))


def begin_sets(world: World, action: actions.BeginSets, release: Release) -> Release:
    return behaviour.begun(release, action.live, world.live)


def ask_sets(world: World, action: Any, release: Release) -> Release:
    """Both deployments are asked some questions; a few get no answer."""
    consent.may_be_asked(world, release)
    progress = behaviour.progress_of(release)
    assert progress.turn is not None
    assert progress.against is not None
    turn, asked = progress.turn, progress.sets[progress.turn]
    left = release.config.behaviour.max_requests - progress.requests
    places, requests = asked.due(world.now)[:left], progress.requests
    for place in places:
        name = release.deployment_name if place == "new" else progress.against
        due = min(BATCH, left // len(places), asked.rows - len(asked.side(place).scores))
        side = _answered(world, release, name, asked.side(place), due)
        asked, requests = asked.replace(**{place: side}), requests + due
    consent.asks_few(release, requests)
    return release.replace(behaviour=progress.with_set(turn, asked).replace(requests=requests))


def _answered(world: World, release: Release, name: str, side: Side, due: int) -> Side:
    """The side after so many requests."""
    silent = not world.calm and world.chance.random() < NO_ANSWER
    score = 0.0 if (release.endpoint, name) in world.azure.dull else 1.0
    if silent and side.attempts < 2:
        return side.replace(attempts=side.attempts + 1, failure="status 500", not_before=world.now)
    scores = (None if silent else score,) * due
    known = world.answers.get((release.number, name), ())
    world.answers[release.number, name] = (*known, *(each or 0.0 for each in scores))
    return side.replace(scores=(*side.scores, *scores), attempts=0, not_before=None)


def keep_comparisons(world: World, action: actions.KeepComparisons, release: Release) -> Release:
    return behaviour.compared(release, action.comparisons, {})


EFFECTS = {
    actions.Hold: hold,
    actions.AskPeople: ask_people,
    actions.LookForAnswers: look_for_answers,
    actions.TakeAnswer: take_answer,
    actions.TellOverdue: tell_overdue,
    actions.ReadSets: read_sets,
    actions.BeginSets: begin_sets,
    actions.AskSets: ask_sets,
    actions.KeepComparisons: keep_comparisons,
}
