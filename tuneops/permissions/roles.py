"""All roles. Ids and actions of built-in ones are those of Microsoft's list of built-in roles.

https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
"""

from tuneops.permissions.role import Holder, Role
from tuneops.permissions.scope import Scope

_BLOBS = "Microsoft.Storage/storageAccounts/blobServices"
_QUEUES = "Microsoft.Storage/storageAccounts/queueServices/queues"

OPERATOR = Role(
    "TuneOps Operator",
    Scope.WORKSPACE,
    "trains, registers, deploys and looks after what it deployed; nothing else of the workspace",
    "no release goes on: it waits and says which role is missing",
    instead="AzureML Data Scientist and Monitoring Reader",
)
CLUSTERS = Role(
    "TuneOps Cluster Operator",
    Scope.WORKSPACE,
    "creates, scales and sweeps away the clusters that configs describe",
    "releases whose config describes a cluster wait for it",
    when="a config has compute.cluster",
    instead="AzureML Compute Operator",
)
AUTOSCALE = Role(
    "TuneOps Autoscale Operator",
    Scope.RESOURCE_GROUP,
    "keeps the autoscale settings of deployments, which lie in the workspace's resource group",
    "releases whose config has autoscale wait for it",
    when="a config has deployment.autoscale",
    instead="Monitoring Contributor",
)
REGION = Role(
    "TuneOps Region Reader",
    Scope.SUBSCRIPTION,
    "reads which machines the region has and how much quota is left: three reads, no resource",
    "no training is planned",
    instead="Reader",
)
OBSERVER = Role(
    "TuneOps Observer",
    Scope.RESOURCE_GROUP,
    "tells who changed an endpoint, and lets the doctor see roles and event subscriptions",
    "all works; drift names nobody, and the doctor skips what it may not see",
    instead="Reader",
)
REGISTRY = Role(
    "TuneOps Registry Reader",
    Scope.REGISTRY,
    "reads foundation model and component of a registry of your own; Microsoft's are open to all",
    "releases that start from it wait",
    when="model.registry is your own",
    instead="AzureML Registry User",
)
BLOBS = Role(
    "Storage Blob Data Owner",
    Scope.STORAGE,
    "reads data, writes prepared data and TuneOps's documents; the Functions host asks for Owner "
    "in the account that it keeps its keys and locks in",
    "nothing goes on, and the doctor says so",
    id="b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    instead="Storage Blob Data Contributor, where the Functions host has an account of its own",
    allowed=(f"{_BLOBS}/containers/*", f"{_BLOBS}/generateUserDelegationKey/action"),
)
QUEUES = Role(
    "Storage Queue Data Contributor",
    Scope.STORAGE,
    "asks for looks and deliveries by messages, and takes them",
    "nothing begins, and the doctor says so",
    id="974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    allowed=(
        f"{_QUEUES}/delete",
        f"{_QUEUES}/read",
        f"{_QUEUES}/write",
        f"{_QUEUES}/messages/delete",
        f"{_QUEUES}/messages/read",
        f"{_QUEUES}/messages/write",
        f"{_QUEUES}/messages/process/action",
    ),
)
TABLES = Role(
    "Storage Table Data Contributor",
    Scope.STORAGE,
    "the Functions host writes its diagnostic events to a table",
    "all works; the portal shows no diagnostic events of the host",
    id="0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    allowed=("Microsoft.Storage/storageAccounts/tableServices/tables/*",),
)
METRICS_PUBLISHER = Role(
    "Monitoring Metrics Publisher",
    Scope.INSIGHTS,
    "sends logs, traces and metrics without a key",
    "all works, unseen: nothing reaches Application Insights",
    id="3913510d-42f4-4e42-8a64-420c390055eb",
    allowed=("Microsoft.Insights/Metrics/Write", "Microsoft.Insights/Telemetry/Write"),
)
SECRETS = Role(
    "Key Vault Secrets User",
    Scope.VAULT,
    "App Service reads the secrets that settings name: GitHub's key and webhook secret",
    "the app does not start: its settings hold no secret",
    id="4633458b-17de-408a-b874-0445c86b69e6",
    allowed=(
        "Microsoft.KeyVault/vaults/secrets/getSecret/action",
        "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
    ),
)
IDENTITIES = Role(
    "Managed Identity Operator",
    Scope.ENDPOINT_IDENTITY,
    "gives endpoints and clusters their identity",
    "releases whose config names that identity wait",
    id="f1a07417-d97a-45cb-824c-7a7467783830",
    when="endpoint.identity or compute.cluster.identity names a user-assigned one",
    allowed=(
        "Microsoft.ManagedIdentity/userAssignedIdentities/*/read",
        "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action",
    ),
)
EVENT_SENDER = Role(
    "EventGrid Data Sender",
    Scope.EVENT_TOPIC,
    "tells an Event Grid topic of yours what happens",
    "that channel gets nothing, and the doctor says so",
    id="d5a91429-5739-47e2-a06b-3470a27159e7",
    when="a channel of the kind event-grid has an address and no key",
    allowed=("Microsoft.EventGrid/events/send/action",),
)

ENDPOINT_MODELS = Role(
    "Storage Blob Data Reader",
    Scope.WORKSPACE_STORAGE,
    "an endpoint's machines fetch the model",
    "deployments fail: the user model can't be downloaded",
    Holder.ENDPOINT,
    id="2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    allowed=(f"{_BLOBS}/containers/read", f"{_BLOBS}/containers/blobs/read"),
)
ENDPOINT_IMAGES = Role(
    "AcrPull",
    Scope.CONTAINER_REGISTRY,
    "an endpoint's machines fetch the container image",
    "deployments fail: the user container image can't be downloaded",
    Holder.ENDPOINT,
    id="7f951dda-4ed3-4680-a7ca-43fe172d538d",
    allowed=("Microsoft.ContainerRegistry/registries/pull/read",),
)
JOB_UPLOADS = Role(
    "Storage Blob Data Reader",
    Scope.DATASETS,
    "jobs that prepare large data read what was uploaded",
    "data that is too large for a function is not prepared",
    Holder.JOB,
    id="2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    when="compute.identity, or the cluster's, is a managed one",
    allowed=ENDPOINT_MODELS.allowed,
)
JOB_DATA = Role(
    "Storage Blob Data Contributor",
    Scope.PREPARED,
    "jobs read the training data and, where a job prepares it, write what is prepared; nothing "
    "else of the account, which holds the app's package, keys and documents",
    "jobs fail: their data can't be read",
    Holder.JOB,
    id="ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    when="compute.identity, or the cluster's, is a managed one",
    allowed=(
        f"{_BLOBS}/containers/delete",
        f"{_BLOBS}/containers/read",
        f"{_BLOBS}/containers/write",
        f"{_BLOBS}/generateUserDelegationKey/action",
        f"{_BLOBS}/containers/blobs/*",
    ),
)
DEAD_LETTERS = Role(
    "Storage Blob Data Contributor",
    Scope.DEAD_LETTERS,
    "Event Grid keeps what it could not deliver",
    "such events are lost; the timers find what they told of",
    Holder.EVENT_TOPIC,
    id="ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    allowed=JOB_DATA.allowed,
)
DEPLOY = Role(
    "Website Contributor",
    Scope.FUNCTION_APP,
    "GitHub's workflow puts a new version in place, signed in by OpenID Connect",
    "the workflow fails; what runs goes on",
    Holder.DEPLOYER,
    id="de139f84-1756-47ae-9be6-808fbbe84772",
    allowed=("Microsoft.Web/sites/*",),
)
UPLOADERS = Role(
    "Storage Blob Data Contributor",
    Scope.DATASETS,
    "people, or whatever makes the data, upload it",
    "they can't upload",
    Holder.PEOPLE,
    id="ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    allowed=JOB_DATA.allowed,
)

APP_ROLES = (
    OPERATOR,
    REGION,
    OBSERVER,
    BLOBS,
    QUEUES,
    TABLES,
    METRICS_PUBLISHER,
    SECRETS,
    CLUSTERS,
    AUTOSCALE,
    REGISTRY,
    IDENTITIES,
    EVENT_SENDER,
)
OTHER_ROLES = (
    ENDPOINT_MODELS,
    ENDPOINT_IMAGES,
    JOB_UPLOADS,
    JOB_DATA,
    DEAD_LETTERS,
    DEPLOY,
    UPLOADERS,
)
ROLES = (*APP_ROLES, *OTHER_ROLES)
