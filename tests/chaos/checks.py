"""What must hold after a round. Pure: each check gives what it has found wrong, in words."""

from collections.abc import Callable

from tests.chaos.evidence import Evidence

TITLES = {
    "queued": "{project}: release {number} is queued",
    "submitted": "{project}: release {number} is training",
    "trained": "{project}: release {number} is trained",
    "live": "{project}: release {number} is live",
    "failed": "{project}: release {number} failed",
    "shifting": "{project}: release {number} gets its first traffic",
}
UNSUCCESSFUL = ("Failed", "Canceled")
STATES = {"Live": "success", "Failed": "failure"}


def untrue_endings(evidence: Evidence) -> list[str]:
    """Releases that have not ended, not as they had to, or for a reason that is not true."""
    found = {(each.project, each.number): each for each in evidence.ended}
    wrong = list(evidence.unreached)
    for wanted in evidence.expected:
        ended = found.get((wanted.project, wanted.number))
        what = f"release {wanted.number} of {wanted.project}"
        if ended is None:
            wrong.append(f"{what} is not there")
        elif ended.phase != wanted.phase or wanted.reason not in ended.reason:
            wrong.append(
                f"{what} is {ended.phase} ({ended.reason}), not {wanted.phase} ({wanted.reason})"
            )
    known = {(each.project, each.number) for each in evidence.expected}
    wrong += [
        f"nobody has asked for release {each.number} of {each.project}: {each.phase} {each.reason}"
        for key, each in found.items()
        if key not in known
    ]
    return wrong


def lost_events(evidence: Evidence) -> list[str]:
    """Events that were accepted and have no fate, and those that were never delivered."""
    lost = [
        f"event {each.id} ({each.about}) is {evidence.fates.get(each.id, 'unknown')}"
        for each in evidence.sent
        if evidence.fates.get(each.id, "waiting") == "waiting"
    ]
    return lost + [f"not delivered: {each}" for each in evidence.undelivered]


def doubled(evidence: Evidence) -> list[str]:
    """Jobs, models and deployments of which there is more than one for the same thing."""
    wrong = []
    for digest, jobs in evidence.jobs.items():
        useful = [name for name, status in jobs if status not in UNSUCCESSFUL]
        if len(useful) > 1:
            wrong.append(f"{digest} was trained {len(useful)} times: {', '.join(useful)}")
    for model, versions in evidence.models.items():
        if len(versions) > 1:
            wrong.append(f"{model} is registered as {', '.join(versions)}")
    deployments: dict[str, list[str]] = {}
    for name in evidence.there:
        kind, _, rest = name.partition(" ")
        if kind == "deployment":
            deployments.setdefault(rest.partition("/")[0], []).append(rest)
    for endpoint, names in deployments.items():
        belong = [name for name in names if f"deployment {name}" in evidence.wanted | evidence.kept]
        if len(names) > max(1, len(belong)):
            wrong.append(f"endpoint {endpoint} has {', '.join(sorted(names))}")
    return wrong


def leaked(evidence: Evidence) -> list[str]:
    """What belongs to nothing, and what should be there and is not."""
    left = [
        f"left over: {name}" for name in sorted(evidence.there - evidence.wanted - evidence.kept)
    ]
    return left + [f"missing: {name}" for name in sorted(evidence.wanted - evidence.there)]


def untold(evidence: Evidence) -> list[str]:
    """Turns of releases that people have not heard of, in each channel."""
    wrong = [f"still owed: {each}" for each in evidence.owed]
    silent = evidence.torn_down - evidence.told.keys()
    wrong += [f"nobody was told of {title}" for title in sorted(silent)]
    newest: dict[tuple[str, str], tuple[int, str]] = {}
    for each in evidence.ended:
        for event in each.told:
            title = TITLES[event].format(project=each.project, number=each.number)
            if not evidence.told.get(title):
                wrong.append(f"nobody was told that {title}")
        key = (each.commit, each.project)
        if each.commit:
            newest[key] = max(newest.get(key, (0, "")), (each.number, STATES.get(each.phase, "")))
    for (commit, project), (number, state) in newest.items():
        seen = evidence.statuses.get((commit, project), "nothing")
        if state and seen != state:
            wrong.append(f"GitHub shows {seen} for release {number} of {project}, not {state}")
    return wrong


def failed_requests(evidence: Evidence) -> list[str]:
    """Answers of the live endpoint that were none."""
    return [
        f"{count} requests were answered with {status}"
        for status, count in evidence.answers.items()
        if status != "200" and count
    ]


CHECKS: dict[str, Callable[[Evidence], list[str]]] = {
    "endings that are not true": untrue_endings,
    "lost events": lost_events,
    "doubled jobs, models, deployments": doubled,
    "leaked resources": leaked,
    "missing notifications": untold,
    "failed client requests": failed_requests,
}


def check(evidence: Evidence) -> dict[str, list[str]]:
    """What each check has found."""
    return {name: look(evidence) for name, look in CHECKS.items()}
