"""Rules of the policy about who may change what. Pure."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import Field

from tuneops.names import environment_of, family
from tuneops.section import Section

MAX_NAMED = 12

Login = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*(\[bot\])?$")]
Pattern = Annotated[str, Field(max_length=255, pattern=r"^[A-Za-z0-9._*?!\[\]-]*$")]
Patterns = Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=100)] | None
Logins = Annotated[
    tuple[Login, ...],
    Field(
        min_length=1,
        max_length=100,
        description="Logins on GitHub of those who may bring such a change to the tracked branch, "
        "by merging a pull request or by pushing; a bot's ends in [bot]; no teams, as an App has "
        "no look into them without permissions for the organization",
        examples=[["ada", "contoso-bot[bot]"]],
    ),
]


class AboutProjects(Section):
    """A rule about some projects."""

    environments: Annotated[
        Patterns,
        Field(
            description="Environments; patterns with * and ?; '' is the one without a name; left "
            "out, all",
            examples=[["production"]],
        ),
    ] = None
    projects: Annotated[
        Patterns,
        Field(
            description="Names of projects as in their configs; patterns with * and ?; left out, "
            "all",
            examples=[["support-*"]],
        ),
    ] = None

    def concerns(self, project: str) -> bool:
        """Whether it is about a project, by its key."""
        environment = environment_of(project)
        name = project.removeprefix(f"{environment}.")
        return _matches(environment, self.environments) and _matches(name, self.projects)


class ChangeRule(AboutProjects):
    """Who may change some projects; where several rules match, those whom any of them names."""

    by: Logins


class PolicyRule(Section):
    """Who may change the policy itself."""

    by: Logins


def may_change(rules: Iterable[ChangeRule], project: str) -> tuple[str, ...] | None:
    """The logins of those who may change a project; None where git alone decides."""
    about = [rule for rule in rules if rule.concerns(family(project))]
    return tuple(dict.fromkeys(login for rule in about for login in rule.by)) if about else None


def why_not(logins: tuple[str, ...] | None, by: str, what: str, key: str) -> str:
    """Why a change of `what` is not taken, empty if it is; `by` is empty when not known.

    GitHub does not tell cases of a login apart.
    """
    if logins is None or by.lower() in {each.lower() for each in logins}:
        return ""
    who = " or ".join(logins[:MAX_NAMED]) + (", ..." if len(logins) > MAX_NAMED else "")
    if by:
        return f"{what} was changed by {by}, who is not in {key}; have {who} bring a change of it"
    return (
        f"{what} was changed, and GitHub does not tell by whom, which {key} asks for; have {who} "
        "bring another change of it"
    )


def _matches(value: str, patterns: Patterns) -> bool:
    """Whether one of the patterns matches; names have no upper case, so patterns need none."""
    return patterns is None or any(fnmatchcase(value, each.lower()) for each in patterns)
