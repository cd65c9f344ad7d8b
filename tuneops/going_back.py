"""Which release to go back to, and what is said of it. Pure."""

from collections.abc import Callable

from tuneops.desired import Desired, Source, fingerprint
from tuneops.gitops.restoration import Restoration
from tuneops.gitops.review_text import code
from tuneops.notify.messages import metrics_text
from tuneops.project import Project
from tuneops.release import Phase, Release

MAX_LOOKED_AT = 200
Load = Callable[[int | None], Release | None]


class RefusedError(Exception):
    """What was asked for can't be or would change nothing; the message says what to do."""


def choose(project: Project, load: Load, number: int | None) -> tuple[Release | None, Release]:
    """The release that is live, None if none is, and the one to go back to.

    Without a `number` it is the newest one before the live one that was live, is made of something
    else and was not rolled back itself; one that has failed since is not chosen by itself. While
    traffic moves to a newer one, it is the live one.

    Raises:
        RefusedError: there is no such release, or it was never live.
    """
    live = load(project.live)
    if live and live.phase != Phase.LIVE:
        live = None
    if number is None:
        newest = load(project.current)
        if live and newest and newest.phase == Phase.SHIFTING and newest.number != live.number:
            return live, live
        return live, _fallback(project, load, live)
    target = load(number)
    if target is None:
        raise RefusedError(
            f"{project.name} has no release {number}; its newest is {project.current or 'none yet'}"
        )
    if target.entered(Phase.LIVE) is None:
        raise RefusedError(
            f"release {number} of {project.name} was never live ({target.phase}: {target.reason}): "
            "name one that was"
        )
    return live, target


def _fallback(project: Project, load: Load, live: Release | None) -> Release:
    newest = live.number - 1 if live else project.current or 0
    rejected = {each.fingerprint for each in project.rejected}
    for number in range(newest, max(0, newest - MAX_LOOKED_AT), -1):
        release = load(number)
        if release is None or release.entered(Phase.LIVE) is None or release.phase == Phase.FAILED:
            continue
        differs = live is None or release.made_of != live.made_of
        if differs and release.made_of not in rejected:
            return release
    raise RefusedError(
        f"{project.name} has no earlier release that was live and is made of something else; "
        "name one with --to"
    )


def restoration(git: Desired, live: Release | None, target: Release, reason: str) -> Restoration:
    """The change of git that goes back to `target`; `git` is with the newest data, if known.

    Raises:
        RefusedError: git says already what it said then.
    """
    if fingerprint(git.config, None) == fingerprint(target.config, None):
        raise RefusedError(only_data(git, target))
    before = target.path or git.path
    return Restoration(
        branch=f"tuneops/rollback-{target.project}-{target.number}",
        commit=target.commit,
        before=before,
        now=git.path if git.config else before,
        title=f"Roll {target.project} back to release {target.number}",
        body=_body(git, live, target, reason),
    )


def only_data(git: Desired, target: Release) -> str:
    """Why git can't go back to a release."""
    now = f" (now {git.source.name}, then {target.source.name})" if git.source else ""
    return (
        f"git can't express this: {git.path} says what it said at release {target.number}; what "
        f"differs is the data{now} or a version it was left to find, which are not in git. Use "
        f"--pin, or upload the data of then anew"
    )


def says_of_data(source: Source | None, target: Release) -> str:
    """Whether merging makes the very model of `target` live again."""
    if source is None or source == target.source:
        return "Nothing is trained: the model is registered already."
    return (
        f"There is newer data than release {target.number} had: {source.name}. Merging trains on "
        "it; only --pin goes back to the model of then."
    )


def _body(git: Desired, live: Release | None, target: Release, reason: str) -> str:
    facts = {
        "why": reason or "(no reason given)",
        "instead of": _instead_of(live, target),
        "model": f"{target.project}:{target.model_version}",
        "metrics": metrics_text(target.metrics.values) if target.metrics else "none",
        "data": target.source.name,
        "deployment": str(target.deployment),
        "config": f"{target.path or git.path} at {target.commit}",
    }
    rows = [f"| {name} | {code(value)} |" for name, value in facts.items()]
    return "\n".join(
        (
            f"Puts the config of {code(target.project)} back to what it was at release "
            f"{target.number}. {says_of_data(git.source, target)}",
            "",
            "| | |",
            "|---|---|",
            *rows,
            "",
        )
    )


def _instead_of(live: Release | None, target: Release) -> str:
    if live is None:
        return "nothing that is live"
    return "what is on its way" if live.number == target.number else _named(live)


def _named(release: Release) -> str:
    return f"release {release.number}, {release.model_name}:{release.model_version}"
