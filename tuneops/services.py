"""What TuneOps works with, made from its settings.

Every trigger needs this module, and few need all that it makes: what makes something imports it.
"""

import gc
import os
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from tuneops import documents
from tuneops.clock import Clock
from tuneops.connections import storage_transport, use_proxies
from tuneops.names import is_preview
from tuneops.settings import Settings, credential, get_settings
from tuneops.sources import ConfigSource

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient, ContainerClient
    from azure.storage.queue import QueueClient

    from tuneops.approvals import Demand
    from tuneops.azureml.workspace import Workspace
    from tuneops.config import ProjectConfig
    from tuneops.data.prepare import Storage
    from tuneops.events.ledger import Ledger
    from tuneops.gitops.github import GitHub
    from tuneops.gitops.login import Tokens
    from tuneops.notify.channel import Channel
    from tuneops.notify.links import Places
    from tuneops.policy import Policy
    from tuneops.queue import RequestQueue
    from tuneops.release import Release
    from tuneops.store import Store, Stored


class NoSourceError(Exception):
    """The settings name no source for an environment, so nothing can be done for it."""


@dataclass(frozen=True)
class Services:
    """Clients, each made when it is first needed.

    Workspace, repository and channels are those of one environment, so that whoever works for one
    can't touch another. The tokens that GitHub gave an App are shared.
    """

    settings: Settings
    environment: str = ""
    tokens: "Tokens" = field(default_factory=dict, repr=False)

    def of(self, environment: str) -> "Services":
        """The services of an environment, made once.

        Raises:
            NoSourceError: the settings have no source for it.
        """
        if self.settings.source(environment) is None:
            raise NoSourceError(f"environment {environment!r} has no source in TUNEOPS_SOURCES")
        if environment == self.environment:
            return self
        made = Services(self.settings, environment, self.tokens)
        return self._others.setdefault(environment, made)

    @cached_property
    def _others(self) -> dict[str, "Services"]:
        return {}

    @property
    def source(self) -> ConfigSource:
        """Where the environment's configs come from.

        Raises:
            NoSourceError: the settings have no source for it.
        """
        found = self.settings.source(self.environment)
        if found is None:
            raise NoSourceError("TUNEOPS_SOURCES has several environments: name one")
        return found

    @cached_property
    def blobs(self) -> "BlobServiceClient":
        """The storage account's blobs."""
        return open_blobs(self.settings, **self.clock.hooks)

    @cached_property
    def clock(self) -> Clock:
        """The time, by the storage account's clock."""
        return Clock()

    def now(self) -> datetime:
        """The time by that clock; storage is asked if it has not answered anything yet."""
        if not self.clock.is_set:
            self.state.exists()
        return self.clock()

    @property
    def storage(self) -> "Storage":
        """Where training data comes from and goes to."""
        from tuneops.data.prepare import Storage

        s = self.settings
        return Storage(
            self.blobs,
            s.datasets_container,
            s.prepared_container,
            s.max_upload_bytes,
            s.data_processes,
            self.environment,
        )

    @cached_property
    def state(self) -> "ContainerClient":
        """Where TuneOps keeps its own."""
        return self.blobs.get_container_client(self.settings.state_container)

    @cached_property
    def store(self) -> "Store":
        """TuneOps's own documents."""
        from tuneops.store import Store

        return Store(self.blobs, self.settings.state_container)

    @cached_property
    def prompt_store(self) -> "Store":
        """The same, read at once or not at all: for whoever weighs an event."""
        from tuneops.store import SOON, Store

        return Store(self.blobs, self.settings.state_container, **SOON)

    @cached_property
    def ledger(self) -> "Ledger":
        """Where it is written down what became of events."""
        from tuneops.events.ledger import Ledger

        return Ledger(self.state)

    def release(self, project: str, number: int | None) -> "Stored[Release] | None":
        """A release as it is stored; None without a number, or when there is none.

        Raises:
            UnreadableError: what is stored is none of this version.
        """
        if number is None:
            return None
        from tuneops.release import Release

        return self.store.read(documents.release(project, number), Release)

    @property
    def policy(self) -> "Policy":
        """The policy that is in force now; it is read each time, as it may have changed."""
        from tuneops.policy import InForce

        stored = self.store.read(documents.policy(self.environment), InForce)
        return (stored.value if stored else InForce()).policy

    def policy_demand(self, project: str) -> "Demand":
        """What the policy that is in force now wants to have approved of a project, and by whom."""
        from tuneops.approvals import demanded

        return demanded(self.policy.approvals, project)

    @cached_property
    def queue(self) -> "RequestQueue":
        """The queue that reconciles are asked for with."""
        return _requests(self.settings, self.settings.reconcile_queue)

    @cached_property
    def prompt_queue(self) -> "RequestQueue":
        """The same, which takes a request at once or not at all: for whoever takes an event."""
        from tuneops.store import SOON

        return _requests(self.settings, self.settings.reconcile_queue, **SOON)

    @cached_property
    def deliveries(self) -> "RequestQueue":
        """The queue that mailboxes are emptied by."""
        return _requests(self.settings, self.settings.deliver_queue)

    @cached_property
    def workspace(self) -> "Workspace":
        """The environment's Azure ML workspace."""
        from tuneops.azureml.workspace import Workspace

        return Workspace(self.settings.model_copy(update=self.source.place))

    @cached_property
    def github(self) -> "GitHub":
        """The environment's repository."""
        from tuneops.gitops.github import GitHub
        from tuneops.gitops.login import make_login

        login = make_login(self.settings, self.source, self.tokens)
        return GitHub(self.settings.github_api_url, self.source, login)

    @cached_property
    def places(self) -> "Places":
        """Where the links of messages lead to."""
        from tuneops.notify.links import places

        s = self.settings
        return places(s.page_url, s.github_api_url, self.source.repository)

    @cached_property
    def channels(self) -> "tuple[Channel, ...]":
        """Where messages go."""
        from tuneops.gitops.commit_status import CommitStatusChannel
        from tuneops.gitops.deployment_channel import DeploymentChannel
        from tuneops.gitops.pull_request_channel import PullRequestChannel

        return (
            CommitStatusChannel(self.github),
            DeploymentChannel(self.github),
            PullRequestChannel(self.github, self.source.repository, self.store),
            *self.people,
        )

    def channels_of(self, project: str) -> "tuple[Channel, ...]":
        """Where messages about a project go: those about a preview to its pull request alone."""
        return self.preview_channels if is_preview(project) else self.channels

    def channel(self, identifier: str) -> "Channel":
        """The environment's channel of this id; one that takes nothing when there is none."""
        from tuneops.notify.gone import GoneChannel

        known = (*self.channels, *self.preview_channels)
        found = (each for each in known if each.id == identifier)
        return next(found, GoneChannel(identifier))

    def has_channel(self, identifier: str, environment: str) -> bool:
        """Whether the settings name such a channel, of this environment or of all."""
        from tuneops.notify.gone import GoneChannel

        if any(each.id == identifier for each in self.people):
            return True
        known = self.settings.source(environment) is not None
        return known and not isinstance(self.of(environment).channel(identifier), GoneChannel)

    @cached_property
    def preview_channels(self) -> "tuple[Channel, ...]":
        """Where messages about previews go."""
        from tuneops.gitops.commit_status import CommitStatusChannel
        from tuneops.previews.channel import PreviewChannel

        place = self.settings.model_copy(update=self.source.place)
        where = (place.resource_group, place.workspace)
        return (
            CommitStatusChannel(self.github),
            PreviewChannel(self.github, self.store, where),
        )

    @cached_property
    def people(self) -> "tuple[Channel, ...]":
        """Where messages to people go; each channel's route says which."""
        from tuneops.notify.channels.making import make_channels

        s = self.settings
        urls = [url.get_secret_value() for url in s.notify_urls]
        return make_channels(s.channels.get_secret_value(), urls, os.environ, lambda: credential(s))

    def unknown_channel(self, config: "ProjectConfig") -> str:
        """What is wrong with the channels that a project chooses, if something is."""
        from tuneops.notify.chosen import unknown_channel

        return unknown_channel(config, [channel.name for channel in self.people])


@lru_cache(maxsize=1)
def get_services() -> Services:
    """The process's services.

    What was imported so far is as old as the process will get: the garbage collector leaves it
    out from now on. To look through these 100,000 objects holds up all calls for some 70 ms.

    Raises:
        pydantic.ValidationError: a setting is missing or has a wrong value.
    """
    gc.freeze()
    return Services(get_settings())


def open_blobs(settings: Settings, **options: Any) -> "BlobServiceClient":
    """A client of the storage account's blobs, with options of the SDK's."""
    from azure.storage.blob import BlobServiceClient

    transport = options["transport"] = storage_transport()
    if settings.storage_connection_string:
        connection = settings.storage_connection_string.get_secret_value()
        client = BlobServiceClient.from_connection_string(connection, **options)
    else:
        uri = _given(settings.blob_service_uri, "blob")
        client = BlobServiceClient(uri, credential(settings), **options)
    use_proxies(transport, client.url)
    return client


def open_queue(settings: Settings, name: str, **options: Any) -> "QueueClient":
    """A client of one of the storage account's queues, with options of the SDK's."""
    from azure.storage.queue import QueueClient

    transport = options["transport"] = storage_transport()
    if settings.storage_connection_string:
        connection = settings.storage_connection_string.get_secret_value()
        client = QueueClient.from_connection_string(connection, name, **options)
    else:
        uri = _given(settings.queue_service_uri, "queue")
        client = QueueClient(uri, name, credential=credential(settings), **options)
    use_proxies(transport, client.url)
    return client


def _requests(settings: Settings, name: str, **options: Any) -> "RequestQueue":
    from tuneops.queue import RequestQueue

    return RequestQueue(open_queue(settings, name, **options))


def _given(uri: str | None, service: str) -> str:
    if not uri:
        raise ValueError(
            f"set AzureWebJobsStorage, or AzureWebJobsStorage__{service}ServiceUri for an identity"
        )
    return uri
