"""What GitHub lets TuneOps do. Pure."""

from tuneops.doctor.finding import Finding, failed, ok, skipped, warning
from tuneops.gitops.standing import Standing
from tuneops.permissions.github import APP_PERMISSIONS

NEEDED = {each.name: each.level for each in APP_PERMISSIONS if each.needed}
WANTED = {
    each.name: (each.level, each.without)
    for each in APP_PERMISSIONS
    if each.given and not each.needed
}
_LEVELS = ("", "read", "write", "admin")


def judge_login(error: str, repository: str) -> Finding:
    """Whether TuneOps gets in, and sees the repository."""
    if error:
        mend = (
            "check TUNEOPS_GITHUB_APP_ID and TUNEOPS_GITHUB_APP_PRIVATE_KEY (or "
            f"TUNEOPS_GITHUB_TOKEN), that the App is installed on {repository}, and that the app's "
            "network reaches TUNEOPS_GITHUB_API_URL"
        )
        return failed("github.login", error, mend, repository)
    return ok("github.login", "TuneOps signs in and sees the repository", repository)


def judge_permissions(standing: Standing, repository: str) -> Finding:
    """Whether it may do what TuneOps does there."""
    check = "github.permissions"
    owner = repository.partition("/")[0]
    if standing.permissions is None:
        return _of_token(standing, repository)
    has = standing.permissions
    lacking = {name: level for name, level in NEEDED.items() if not _is_enough(has, name, level)}
    mend = (
        f"change the App's permissions at https://github.com/settings/apps (or {owner}'s settings, "
        "Developer settings), then accept the change where it is installed"
    )
    if lacking:
        said = ", ".join(f"{name}: {level}" for name, level in lacking.items())
        return failed(check, f"the App's installation lacks {said}", mend, repository)
    less = [
        f"{name}: {level} ({why})"
        for name, (level, why) in WANTED.items()
        if not _is_enough(has, name, level)
    ]
    if less:
        return warning(check, f"the installation lacks {', '.join(less)}", mend, repository)
    return ok(check, "the App's installation has all permissions", repository)


def _of_token(standing: Standing, repository: str) -> Finding:
    check = "github.permissions"
    if standing.may_push is False:
        mend = (
            "make a token with Contents, Commit statuses, Deployments and Pull requests: write at "
            "https://github.com/settings/personal-access-tokens, or use an App"
        )
        return failed(check, "the token may only read", mend, repository)
    return skipped(check, "GitHub does not tell all that a token may do", repository)


def _is_enough(has: dict[str, str], name: str, level: str) -> bool:
    given = has.get(name, "")
    return given in _LEVELS and _LEVELS.index(given) >= _LEVELS.index(level)
