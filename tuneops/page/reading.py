"""The documents behind the pages of a project and of its releases."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from azure.core.exceptions import AzureError
from pydantic import ValidationError

from tuneops import documents
from tuneops.data.preparation import REPORT_JSON
from tuneops.data.report import DataReport, Reason
from tuneops.names import environment_of
from tuneops.notify.post import read_mailboxes
from tuneops.page.message_list import Deliveries, deliveries
from tuneops.page.release_list import trained_before
from tuneops.page.release_view import Around
from tuneops.policy import Policy
from tuneops.project import Project
from tuneops.release import Phase, Release
from tuneops.services import NoSourceError, Services
from tuneops.store import Listed, UnreadableError

MAX_REPORT = 1024 * 1024
GITHUB = "https://api.github.com"
ENTERPRISE = "/api/v3"
"""How the address of the API of a GitHub Enterprise Server ends."""

log = logging.getLogger(__name__)


def release(services: Services, name: str, number: int | None) -> Release | None:
    """A release, None without a number or if there is none.

    Raises:
        UnreadableError: what is stored is none of this version.
    """
    stored = services.release(name, number)
    return stored.value if stored else None


def project(services: Services, name: str) -> Project:
    """A project, without anything if nothing is remembered of it.

    Raises:
        UnreadableError: what is stored is none of this version.
    """
    stored = services.store.read(documents.project(name), Project)
    return stored.value if stored else Project(name=name)


def shown_releases(services: Services, project: Project) -> list[Release]:
    """The newest release of a project, and the one that is live if it is another.

    Raises:
        UnreadableError: what is stored is none of this version.
    """
    numbers = dict.fromkeys((project.current, project.live))
    found = (release(services, project.name, number) for number in numbers)
    return [each for each in found if each]


@dataclass(frozen=True)
class Surroundings:
    """What the releases of a project are shown with; `listed` are all of them."""

    services: Services
    project: Project
    listed: Sequence[Listed]
    policy: Policy | None
    repository: str

    def of(self, found: Release, *, whole: bool = False) -> Around:
        """What stands around a release; its data's report is read for the `whole` of it alone."""
        return Around(
            project=self.project,
            before=_before(self, found),
            policy=self.policy,
            repository=self.repository,
            studio=_studio(self.services, found),
            reasons=_reasons(self.services, found) if whole else (),
            deliveries=self._deliveries() if whole else {},
        )

    def _deliveries(self) -> Deliveries:
        return deliveries(read_mailboxes(self.services.store, self.project.name))


def surroundings(services: Services, name: str) -> Surroundings:
    """What the releases of a project are shown with.

    Raises:
        UnreadableError: what is stored is none of this version.
    """
    environment = environment_of(name)
    return Surroundings(
        services=services,
        project=project(services, name),
        listed=list(services.store.listed(documents.releases(name))),
        policy=_policy(services, environment),
        repository=web_address(services, environment),
    )


def web_address(services: Services, environment: str) -> str:
    """Where people see the environment's repository, empty where that is not known."""
    source = services.settings.source(environment)
    api = services.settings.github_api_url.rstrip("/")
    if source is None or not (api == GITHUB or api.endswith(ENTERPRISE)):
        return ""
    web = "https://github.com" if api == GITHUB else api.removesuffix(ENTERPRISE)
    return f"{web}/{source.repository}"


def _before(known: Surroundings, found: Release) -> Release | None:
    """The live release, if this one is newer; else the last before it that was trained."""
    number = known.project.live
    if number is None or number >= found.number:
        number = trained_before(known.listed, found.number)
    try:
        return release(known.services, found.project, number)
    except UnreadableError as error:
        log.info("nothing to compare with on the page: %s", error)
        return None


def _studio(services: Services, found: Release) -> dict[str, str]:
    """The pages of the studio that are known without asking; a page does without."""
    try:
        workspace = services.of(environment_of(found.project)).workspace
    except NoSourceError:
        return {}
    pages = {}
    if found.entered(Phase.DEPLOYING):
        pages = {"models": workspace.models_page}
        pages["endpoint"] = workspace.endpoint_page(found.endpoint)
    return pages


def _policy(services: Services, environment: str) -> Policy | None:
    """The policy with its prices; a page does without."""
    try:
        return services.of(environment).policy
    except (NoSourceError, UnreadableError) as error:
        log.info("no prices on the page: %s", error)
        return None


def _reasons(services: Services, found: Release) -> Sequence[Reason]:
    """Why rows of the data were refused; a page does without."""
    if found.data is None:
        return ()
    path = f"{found.data.folder}/{REPORT_JSON}"
    container = services.settings.prepared_container
    try:
        blob = services.blobs.get_blob_client(container, path)
        text = blob.download_blob(offset=0, length=MAX_REPORT).readall()
        return DataReport.model_validate_json(text).reasons
    except (AzureError, ValidationError) as error:
        log.info("no report of %s on the page: %s", path, type(error).__name__)
        return ()
