"""What should be: what git and the newest data say of a project."""

from functools import cached_property
from typing import ClassVar

from tuneops import migrations, names
from tuneops.cause import Brought
from tuneops.config import ProjectConfig
from tuneops.document import Document, Given
from tuneops.previews.terms import Terms

ABOUT_RELEASES = {
    "notifications",
    "suspend",
    "in_flight",
    "on_removal",
    "drift",
    "deletion_protection",
    "preview",
}
"""What a config says of all releases, not of what one is made of."""


class Source(Document):
    """Where training data comes from: a blob at its ETag, or a hub dataset at its revision.

    The version of a hub dataset is empty when the config leaves the revision open.
    """

    name: str
    version: str
    size: int


class Desired(Document):
    """What should be: the config at a commit and the newest data.

    No config: the file is gone, and `removed` is what stood in it last. `left` says why no source
    has the file any more, though it is not gone; nothing is done then. `adopts`: it is not git that
    wants this but a pin, and this release's model is to be used. `by` is the login of who brought
    the config, empty when that could not be found out, None where no rule of the policy asked.
    `brought` is the commit it came by, for people, None where it is not known. `preview`: this is
    wanted by an open pull request, for a while. `suspended` says who has ordered that everything
    stays as it is, empty if nobody has.
    """

    MIGRATIONS: ClassVar = (
        migrations.all_of(
            migrations.at("config", "rollout", change=migrations.keep_for_minutes),
            migrations.at("removed", "rollout", change=migrations.keep_for_minutes),
        ),
    )

    project: str
    commit: str
    path: str
    config: Given[ProjectConfig] | None
    source: Source | None = None
    removed: Given[ProjectConfig] | None = None
    adopts: int | None = None
    left: str = ""
    by: str | None = None
    brought: Brought | None = None
    preview: Terms | None = None
    suspended: str = ""

    @property
    def standstill(self) -> str:
        """Why nothing is begun, changed or taken down, by an order or by git; empty if not."""
        by_git = self.config is not None and self.config.suspend
        return self.suspended or (f"suspended by {self.path}" if by_git else "")

    @cached_property
    def fingerprint(self) -> str:
        """Changes whenever a new release is due; `ABOUT_RELEASES` is no reason for one."""
        return fingerprint(self.config, self.source)


def fingerprint(config: ProjectConfig | None, source: Source | None) -> str:
    """Names what a release is made of; a field that has its default is as if it were left out.

    So a version of TuneOps with more fields makes no new releases of what is as it was.
    """
    settings = config.model_dump(exclude=ABOUT_RELEASES, exclude_defaults=True) if config else None
    return names.digest(settings, source.model_dump() if source else None)
