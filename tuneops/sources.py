"""Where configs come from: a repository and a branch for each environment. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tuneops import globs, names

MAX_SOURCES = 20

Repository = Annotated[
    str, Field(max_length=140, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9._-]*[A-Za-z0-9_-]$")
]
Branch = Annotated[str, Field(max_length=255, pattern=r"^\w[\w./+@-]*$")]
Pattern = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(globs.check)]
Place = Annotated[str, Field(min_length=1, max_length=260, pattern=r"^[^/?#\s]+$")]


class ConfigSource(BaseModel):
    """Config files of one branch; their projects belong to the environment.

    The environment without a name has the projects that are called by their names alone. What is
    left out of the workspace is the app's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    environment: Annotated[str, Field(pattern=names.ENVIRONMENT)] = ""
    repository: Repository
    branch: Branch = "main"
    configs: Pattern = "finetune/**"
    subscription_id: Place | None = None
    resource_group: Place | None = None
    workspace: Place | None = None

    @property
    def owner(self) -> str:
        """Whose the repository is, in lower case, as GitHub does not tell cases apart."""
        return self.repository.partition("/")[0].lower()

    @property
    def origin(self) -> str:
        """Names what is read, for people and to see that it is another than before."""
        return f"{self.repository.lower()} {self.branch} {self.configs}"

    @property
    def place(self) -> dict[str, str]:
        """What it says of its workspace."""
        given = self.model_dump(include={"subscription_id", "resource_group", "workspace"})
        return {name: value for name, value in given.items() if value is not None}

    def reads(self, repository: str, branch: str) -> bool:
        """Whether this is its branch."""
        return (self.repository.lower(), self.branch) == (repository.lower(), branch)

    def covers(self, path: str) -> bool:
        """Whether this is the path of one of its config files."""
        return path.endswith((".yaml", ".yml")) and globs.matches(path, self.configs)


def check_sources(sources: Sequence[ConfigSource]) -> None:
    """Make sure that no two sources are in each other's way.

    Raises:
        ValueError: two are; the message names their environments.
    """
    for name, count in Counter(source.environment for source in sources).items():
        if count > 1:
            raise ValueError(f"environment {name!r} stands there {count} times: give it one source")
    seen: dict[tuple[str, ...], str] = {}
    for source in sources:
        what = (source.origin, *(f"{key}={value}" for key, value in source.place.items()))
        if what in seen:
            raise ValueError(
                f"environments {seen[what]!r} and {source.environment!r} read the same files for "
                "the same workspace: give them different branches, files or workspaces"
            )
        seen[what] = source.environment
