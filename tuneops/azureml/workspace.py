"""The connection to one workspace and to registries."""

from enum import Enum
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from tuneops.azureml import sdk, transport
from tuneops.azureml.errors import azure_errors
from tuneops.connections import shared_session
from tuneops.settings import WorkspaceSettings, credential

if TYPE_CHECKING:
    import httpx2
    import requests
    from azure.ai.ml import MLClient
    from azure.core.pipeline.transport import HttpTransport


class Workspace:
    """Clients of a workspace, made when first needed and kept for the process."""

    def __init__(self, settings: WorkspaceSettings) -> None:
        self._settings = settings
        self._credential = credential(settings)
        self.registry = lru_cache(maxsize=8)(self._registry)
        self.components: dict[str, Any] = {}
        """Those of registries that were looked up lately, by id: a version never changes."""

    @property
    def id(self) -> str:
        """The workspace's ARM id."""
        s = self._settings
        return (
            f"/subscriptions/{s.subscription_id}/resourceGroups/{s.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{s.workspace}"
        )

    @property
    def resource_manager(self) -> str:
        """Where Azure Resource Manager is, without a slash at the end."""
        return self._settings.resource_manager.rstrip("/")

    def job_page(self, name: str) -> str:
        """The studio's page of a job."""
        return f"{self._settings.studio}/runs/{name}?wsid={self.id}"

    def endpoint_page(self, name: str) -> str:
        """The studio's page of an endpoint."""
        return f"{self._settings.studio}/endpoints/realtime/{name}/detail?wsid={self.id}"

    @property
    def models_page(self) -> str:
        """The studio's page of the registered models."""
        return f"{self._settings.studio}/model/list?wsid={self.id}"

    def authorization(self) -> dict[str, str]:
        """The header that signs a request to Azure Resource Manager.

        Raises:
            ClientAuthenticationError: the identity gets no token.
        """
        token = self._credential.get_token(f"{self.resource_manager}/.default").token
        return {"authorization": f"Bearer {token}"}

    @cached_property
    def http(self) -> "httpx2.Client":
        """For what is asked past the SDK; to read which certificates are trusted takes long."""
        import httpx2

        return httpx2.Client()

    @cached_property
    def session(self) -> "requests.Session":
        """For asking endpoints, on connections that stay open from one question to the next."""
        return shared_session()

    @cached_property
    def ml(self) -> "MLClient":
        """The workspace's MLClient."""
        s = self._settings
        return self._client(
            subscription_id=s.subscription_id,
            resource_group_name=s.resource_group,
            workspace_name=s.workspace,
        )

    @cached_property
    def mlflow_tracking_uri(self) -> str:
        """Where the workspace's runs are tracked."""
        return str(self._resource.mlflow_tracking_uri)

    @cached_property
    def region(self) -> str:
        """Where the workspace is, empty when Azure does not say.

        Raises:
            UnavailableError: the workspace can't be asked now.
        """
        with azure_errors("the workspace"):
            return str(self._resource.location or "")

    @cached_property
    def _resource(self) -> Any:
        return self.ml.workspaces.get(self._settings.workspace)

    @cached_property
    def _transport(self) -> "HttpTransport[Any, Any]":
        return transport.shared()

    def _registry(self, name: str) -> "MLClient":
        return self._client(registry_name=name)

    def _client(self, **scope: str) -> "MLClient":
        """An MLClient that gives up soon: the reconciler tries again without holding a worker."""
        sdk.load()
        from azure.ai.ml import MLClient

        settings = self._settings
        cloud: dict[str, Any] = {}
        if settings.cloud_metadata:
            cloud["cloud_metadata"] = settings.cloud_metadata
        return MLClient(
            self._credential,
            cloud=settings.cloud,
            enable_telemetry=False,
            retry_total=2,
            retry_status=0,
            transport=self._transport,
            **cloud,
            **scope,
        )


def plain(value: object) -> str:
    """The text of what the SDK gives as a string here and as an enum of strings there."""
    return str(value.value if isinstance(value, Enum) else value)
