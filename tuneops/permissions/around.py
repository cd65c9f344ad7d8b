"""What TuneOps does around the workspace, and what is done for it there. Pure."""

from tuneops.permissions.role import Need
from tuneops.permissions.roles import (
    AUTOSCALE,
    EVENT_SENDER,
    IDENTITIES,
    METRICS_PUBLISHER,
    OBSERVER,
    OPERATOR,
    REGION,
    REGISTRY,
    SECRETS,
)

_PERMISSIONS = "azureml/permissions.granted: GET permissions"
_REGION = "Microsoft.MachineLearningServices/locations"
_REGISTRY = "Microsoft.MachineLearningServices/registries"
_SETTINGS = "Microsoft.Insights/autoscalesettings"

AROUND = (
    Need(
        "Microsoft.Insights/metrics/read",
        OPERATOR,
        "azureml/traffic_metrics: GET metrics of the endpoint",
        "weighing live figures in rollouts; the sweeper sees whether something is used",
    ),
    Need(
        "Microsoft.Authorization/permissions/read",
        OPERATOR,
        _PERMISSIONS,
        "the doctor sees what the identity may do in the workspace",
    ),
    Need(
        "Microsoft.Authorization/permissions/read",
        OBSERVER,
        _PERMISSIONS,
        "the same in the resource group",
    ),
    Need(
        "Microsoft.Insights/eventtypes/values/read",
        OBSERVER,
        "azureml/activity.last_changes: GET the activity log",
        "who changed what drifted",
    ),
    Need(
        "Microsoft.EventGrid/eventSubscriptions/read",
        OBSERVER,
        "azureml/event_subscriptions.listed: GET event subscriptions",
        "the doctor sees whether events come",
    ),
    Need(
        "Microsoft.EventGrid/systemTopics/read",
        OBSERVER,
        "azureml/event_subscriptions.listed: GET system topics",
        "the same",
    ),
    Need(
        "Microsoft.EventGrid/systemTopics/eventSubscriptions/read",
        OBSERVER,
        "azureml/event_subscriptions.listed: GET event subscriptions of a system topic",
        "the same",
        unseen="the local cloud has no system topics",
    ),
    Need(
        "Microsoft.Storage/storageAccounts/blobServices/read",
        OBSERVER,
        "doctor/looking/storage: BlobServiceClient.get_service_properties",
        "the doctor sees whether soft delete is on",
    ),
    Need(
        f"{_SETTINGS}/read",
        AUTOSCALE,
        "azureml/autoscale.observe: GET autoscale settings",
        "what is set",
    ),
    Need(f"{_SETTINGS}/write", AUTOSCALE, "azureml/autoscale.put: PUT", "setting it"),
    Need(f"{_SETTINGS}/delete", AUTOSCALE, "azureml/autoscale.delete: DELETE", "taking it away"),
    Need(
        f"{_REGION}/vmSizes/read",
        REGION,
        "azureml/compute.sizes: compute.list_sizes",
        "whether the machines can train and serve the model",
    ),
    Need(
        f"{_REGION}/usages/read",
        REGION,
        "azureml/compute.quotas: compute.list_usage",
        "whether there is quota for them; without it that is not checked",
    ),
    Need(
        f"{_REGION}/mfeOperationsStatus/read",
        REGION,
        "azureml/reasons.of_deployment: GET the last operation",
        "why a deployment failed, in Azure's words; without it the container's log has to say",
    ),
    Need(
        f"{_REGION}/mfeOperationResults/read",
        REGION,
        "azureml/jobs.cancel, endpoints: pollers of the SDK",
        "the same of what was cancelled or deleted; TuneOps looks again itself",
    ),
    Need(
        f"{_REGISTRY}/read",
        REGISTRY,
        "azureml/registry: MLClient(registry_name=...)",
        "where the registry is",
    ),
    Need(
        f"{_REGISTRY}/assets/read",
        REGISTRY,
        "azureml/registry: models.get, components.get",
        "foundation model and component",
    ),
    Need(
        "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
        IDENTITIES,
        "azureml/endpoints.begin_create, compute.begin_create",
        "giving an endpoint or a cluster its identity",
        unseen="Azure ML asks for it itself; tests/test_permissions.py has its refusal",
    ),
    Need(
        "Microsoft.EventGrid/events/send/action",
        EVENT_SENDER,
        "notify/channels/event_grid: POST to the topic",
        "messages to a topic of yours",
        data=True,
        unseen="tests/test_channel_delivery.py sends to a topic of its own",
    ),
    Need(
        "Microsoft.Insights/Telemetry/Write",
        METRICS_PUBLISHER,
        "the exporter of telemetry",
        "logs, traces and metrics",
        data=True,
        unseen="the local cloud has no Application Insights",
    ),
    Need(
        "Microsoft.KeyVault/vaults/secrets/getSecret/action",
        SECRETS,
        "App Service, for settings that are Key Vault references",
        "GitHub's key and webhook secret",
        data=True,
        unseen="App Service reads them, before the app runs",
    ),
)
