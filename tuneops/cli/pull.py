"""Saying on a pull request what ``tuneops plan`` has found, from a workflow of GitHub Actions."""

from collections.abc import Sequence

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tuneops.cli.target import fail
from tuneops.gitops import review_text
from tuneops.gitops.errors import GitHubError
from tuneops.gitops.github import GitHub
from tuneops.gitops.login import TokenLogin
from tuneops.gitops.review_text import Finding
from tuneops.sources import ConfigSource


class ActionSettings(BaseSettings):
    """What GitHub Actions sets; the token has to be handed to the step."""

    model_config = SettingsConfigDict(env_ignore_empty=True, hide_input_in_errors=True)

    github_repository: str
    github_token: SecretStr = Field(min_length=1)
    github_api_url: str = "https://api.github.com"


def comment(
    number: int, errors: Sequence[str], findings: Sequence[Finding], environment: str
) -> None:
    """Have the one comment on the pull request say this; without changes there is none.

    It is the comment that a running TuneOps writes as well.

    Raises:
        typer.Exit: this is no workflow, or GitHub does not take it.
    """
    try:
        settings = ActionSettings()
        source = ConfigSource(environment=environment, repository=settings.github_repository)
    except ValidationError as error:
        names = ", ".join(str(each["loc"][0]).upper() for each in error.errors())
        raise fail(f"--pull needs {names} in the environment, as a workflow has it") from error
    login = TokenLogin(settings.github_token, "GITHUB_TOKEN", "pull-requests: write")
    github = GitHub(settings.github_api_url, source, login)
    try:
        text = review_text.comment(github.proposed(number), errors, findings, environment)
        silent = not errors and not findings
        github.comment(number, review_text.mark(environment), text, only_update=silent)
    except GitHubError as error:
        raise fail(f"pull request {number} can't be commented on: {error}") from error
