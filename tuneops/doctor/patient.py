"""The TuneOps that is examined: what lookups work with."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from azure.storage.blob import BlobServiceClient

from tuneops import documents
from tuneops.desired import Desired
from tuneops.doctor.judging.identity import principal
from tuneops.doctor.judging.machines import Wanted
from tuneops.doctor.judging.site import Site
from tuneops.doctor.judging.storage import Account
from tuneops.doctor.tokens import token_for
from tuneops.names import environment_of
from tuneops.services import Services, open_blobs
from tuneops.store import Store, UnreadableError

SOON: dict[str, Any] = {"retry_total": 0, "connection_timeout": 4, "read_timeout": 6}
"""For clients of the storage account: whoever asks a doctor wants no third try."""
MAX_PROJECTS = 100


@dataclass(frozen=True)
class Patient:
    """A running TuneOps; `hosts` are those it is reached at, with their ports."""

    services: Services
    environment: Mapping[str, str]
    hosts: frozenset[str]
    now: datetime

    @property
    def site(self) -> Site:
        """Where the function app runs."""
        return Site.of(self.environment)

    @cached_property
    def object_id(self) -> str:
        """That of the app's identity, empty if unknown: commands that grant roles name it."""
        settings = self.services.settings
        return principal(token_for(settings, settings.resource_manager.rstrip("/")).token).oid

    @cached_property
    def blobs(self) -> BlobServiceClient:
        """The storage account, asked once."""
        return open_blobs(self.services.settings, **SOON)

    @property
    def store(self) -> Store:
        """TuneOps's own documents, asked for once."""
        return Store(self.blobs, self.services.settings.state_container)

    @property
    def account(self) -> Account:
        """The storage account; it is taken to be in the app's resource group."""
        name = str(self.blobs.account_name)
        return Account(name=name, id=self.account_ids[0], object_id=self.object_id)

    @property
    def account_ids(self) -> list[str]:
        """What the storage account's id may be: in the app's resource group, or the workspace's."""
        settings = self.services.settings
        groups = [self.site.resource_group] if self.site.known else []
        kind = "providers/Microsoft.Storage/storageAccounts"
        return [
            f"/subscriptions/{settings.subscription_id}/resourceGroups/{group}/{kind}"
            f"/{self.blobs.account_name}"
            for group in dict.fromkeys((*groups, settings.resource_group))
        ]

    def wanted(self, environment: str | None) -> list[Wanted]:
        """The configs of projects, among the first `MAX_PROJECTS`; None: of all environments."""
        return [
            each
            for each in self._wanted
            if environment is None or environment_of(each.project) == environment
        ]

    @cached_property
    def _wanted(self) -> list[Wanted]:
        found = []
        for path in sorted(self.store.paths(documents.DESIRED))[:MAX_PROJECTS]:
            try:
                stored = self.store.read(path, Desired)
            except UnreadableError:
                continue
            config = stored.value.config if stored else None
            if stored and config:
                desired = stored.value
                found.append(Wanted(desired.project, desired.path, config))
        return found
