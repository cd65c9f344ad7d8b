"""What TuneOps does in the workspace, as Azure Machine Learning names it. Pure.

https://learn.microsoft.com/azure/role-based-access-control/permissions/ai-machine-learning
"""

from tuneops.permissions.role import Need
from tuneops.permissions.roles import CLUSTERS, OPERATOR

ML = "Microsoft.MachineLearningServices/workspaces"
_SUBMITTED = "Azure ML asks for it when a job is submitted, as Microsoft's custom role MLOps has it"


def _need(action: str, call: str, why: str, unseen: str = "") -> Need:
    return Need(f"{ML}/{action}", OPERATOR, call, why, unseen=unseen)


def _submitting(action: str, why: str) -> Need:
    return _need(action, "azureml/jobs.submit: jobs.create_or_update", why, _SUBMITTED)


WORKSPACE = (
    _need("read", "azureml/workspace: workspaces.get", "its region and tracking server"),
    _need(
        "jobs/read",
        "azureml/jobs.observe: jobs.get; jobs.list",
        "how far a job is, and why it failed",
    ),
    _need(
        "jobs/write", "azureml/jobs.submit: jobs.create_or_update", "training and preparing data"
    ),
    _need(
        "jobs/cancel/action",
        "azureml/jobs.cancel: jobs.begin_cancel",
        "a job that is not wanted any more",
    ),
    _need(
        "experiments/read",
        "azureml/metrics, progress: MlflowClient.search_runs",
        "the steps of a job",
        "Microsoft's list of MLflow operations has it",
    ),
    _need(
        "experiments/runs/read",
        "azureml/metrics, progress, logs, reasons: MlflowClient; run history",
        "metrics, logs, and what a step says of its failure",
    ),
    _need(
        "models/read", "azureml/tagged.asset_names: models.list", "names of models, for the sweeper"
    ),
    _need(
        "models/versions/read",
        "azureml/models: models.get, models.list",
        "whether the model is registered, or archived",
    ),
    _need(
        "models/versions/write",
        "azureml/models.register, restore: models.create_or_update, models.restore",
        "registering the model",
    ),
    _need("data/read", "azureml/tagged.asset_names: data.list", "names of data, for the sweeper"),
    _need(
        "data/versions/read", "azureml/data_assets.register: data.get", "whether the data is known"
    ),
    _need(
        "data/versions/write",
        "azureml/data_assets.register: data.create_or_update",
        "lineage begins with the data",
    ),
    _need(
        "computes/read",
        "azureml/compute.observe: compute.get, compute.list",
        "whether the cluster is there",
    ),
    _need(
        "onlineEndpoints/read", "azureml/endpoints.observe: online_endpoints.get", "what is live"
    ),
    _need(
        "onlineEndpoints/write",
        "azureml/endpoints: online_endpoints.begin_create_or_update",
        "endpoints and their traffic",
    ),
    _need(
        "onlineEndpoints/delete",
        "azureml/endpoints.begin_delete: online_endpoints.begin_delete",
        "endpoints of removed configs",
    ),
    _need(
        "onlineEndpoints/listKeys/action",
        "azureml/scoring.door_of: online_endpoints.get_keys",
        "the smoke test asks the endpoint with its key",
    ),
    _need(
        "onlineEndpoints/score/action",
        "azureml/scoring.put: POST of the endpoint's scoring address",
        "the same with endpoint.auth_mode: aad_token",
    ),
    _need(
        "onlineEndpoints/deployments/read",
        "azureml/endpoints.observe: online_deployments.list",
        "what is deployed",
    ),
    _need(
        "onlineEndpoints/deployments/write",
        "azureml/endpoints.begin_deploy: online_deployments.begin_create_or_update",
        "deploying the model",
    ),
    _need(
        "onlineEndpoints/deployments/delete",
        "azureml/endpoints.begin_delete_deployment: online_deployments.begin_delete",
        "deployments that are superseded",
    ),
    _need(
        "onlineEndpoints/deployments/getLogs/action",
        "azureml/logs.of_deployment, reasons: online_deployments.get_logs",
        "what a container wrote",
    ),
    _need(
        "codes/versions/*",
        "azureml/data_jobs.submit: jobs.create_or_update",
        "the code that prepares large data; beside read and write there is an upload, which "
        "Azure does not list",
    ),
    _need(
        "environments/versions/write",
        "azureml/data_jobs.submit: jobs.create_or_update",
        "the environment of that code",
    ),
    _need(
        "components/versions/write",
        "azureml/data_jobs.submit: jobs.create_or_update",
        "the steps of a preparation on several nodes",
    ),
    _need(
        "datastores/write",
        "azureml/data_jobs.submit: datastores.create_or_update",
        "where a job puts prepared data",
    ),
    _submitting("components/read", "the component of each step"),
    _submitting("components/versions/read", "the same"),
    _submitting("datastores/read", "where data is, and where output goes"),
    _submitting("environments/versions/read", "the image that the job runs in"),
    _submitting("environments/read", "the image that the job runs in"),
    _submitting("environments/write", "the same"),
    _submitting("environments/build/action", "the same"),
    _submitting("environments/readSecrets/action", "the same, from a private registry"),
    _submitting("experiments/runs/write", "the run of the job"),
    _submitting("experiments/runs/submit/action", "the same"),
    _submitting("metadata/artifacts/read", "what the job wrote"),
    _submitting("metadata/artifacts/write", "the same"),
    _submitting("metadata/snapshots/read", "the code of the job"),
    _submitting("metadata/snapshots/write", "the same"),
    Need(
        f"{ML}/computes/write",
        CLUSTERS,
        "azureml/compute: compute.begin_create_or_update, begin_update",
        "creating and scaling clusters",
    ),
    Need(
        f"{ML}/computes/delete",
        CLUSTERS,
        "sweep/sweeper: DELETE of the cluster",
        "sweeping away clusters that belong to nothing",
        unseen="tests/test_sweeping.py sweeps one away",
    ),
    Need(
        f"{ML}/computes/listNodes/action",
        CLUSTERS,
        "azureml/running.clusters: compute.list_nodes",
        "the nodes that cost money now",
    ),
)
