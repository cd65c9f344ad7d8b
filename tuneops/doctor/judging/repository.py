"""The tracked branch and what was read of it. Pure."""

from tuneops.doctor.finding import Finding, failed, ok, skipped, warning
from tuneops.gitops.repository import Repository
from tuneops.sources import ConfigSource

MAX_FILES = 20


def judge_branch(error: str, source: ConfigSource) -> Finding:
    """Whether GitHub shows the branch."""
    where = f"{source.repository}, branch {source.branch}"
    if error:
        mend = (
            f"gh api repos/{source.repository}/branches --jq '.[].name' shows those there are; "
            f"push the branch, or name another one in {_setting(source)}"
        )
        return failed("repository.branch", error, mend, where)
    return ok("repository.branch", "is there", where)


def judge_read(commit: str, known: Repository | None, source: ConfigSource) -> list[Finding]:
    """What was read last, when the branch is at this commit."""
    where = f"{source.repository}, {source.configs}"
    if known is None or not known.commit:
        mend = "wait for the timer; if it stays so, the app's log says why it can't be read"
        nothing = skipped("repository.configs", "not read yet", where)
        return [warning("repository.current", "was not read yet", mend, where), nothing]
    return [_current(commit, known, where), *_configs(known, source, where)]


def _current(commit: str, known: Repository, where: str) -> Finding:
    if known.commit == commit:
        return ok("repository.current", f"was read at {commit[:7]}, the newest commit", where)
    said = f"was read at {known.commit[:7]}, the branch is at {commit[:7]}"
    mend = (
        "look again in a minute; if it stays so, the app's log says why it can't be read (a commit "
        "with 'tuneops: skip' is left out on purpose)"
    )
    return warning("repository.current", said, mend, where)


def _configs(known: Repository, source: ConfigSource, where: str) -> list[Finding]:
    check = "repository.configs"
    invalid = {path: state.errors for path, state in known.files.items() if state.errors}
    found = [
        failed(
            check,
            "; ".join(errors),
            f"tuneops validate {path} says the same; mend it and merge that. Until then the last "
            "version that was valid counts",
            f"{source.repository}, {path}",
        )
        for path, errors in list(invalid.items())[:MAX_FILES]
    ]
    if found:
        return found
    if not known.files:
        mend = f"merge a config, or mend {_setting(source)}"
        return [warning(check, "no file matches", mend, where)]
    return [ok(check, f"all {len(known.files)} files are valid", where)]


def _setting(source: ConfigSource) -> str:
    if source.environment:
        return f"TUNEOPS_SOURCES, environment {source.environment}"
    return "TUNEOPS_GITHUB_BRANCH and TUNEOPS_CONFIG_FILES, or TUNEOPS_SOURCES"
