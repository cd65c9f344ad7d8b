"""Microsoft's tutorial of fine-tuning Phi-3 with the Azure ML SDK, cell by cell, as a script.

It is the work that TuneOps automates, done by hand: it knows nothing of TuneOps, nor of the local
cloud. Run it beside a `config.json` of your workspace; the data folder holds train_sft.jsonl,
test_sft.jsonl and test_gen.jsonl of HuggingFaceH4/ultrachat_200k (see docs/tutorial-parity.md).

    python examples/tutorial.py ultrachat_200k_dataset
"""

import ast
import json
import sys
import time
from pathlib import Path

import mlflow
from azure.ai.ml import Input, MLClient
from azure.ai.ml.constants import AssetTypes
from azure.ai.ml.dsl import pipeline
from azure.ai.ml.entities import (
    AmlCompute,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    Model,
    OnlineRequestSettings,
    PipelineComponent,
    PipelineJob,
    ProbeSettings,
)
from azure.core.exceptions import ResourceNotFoundError
from azure.identity import DefaultAzureCredential

data = Path(sys.argv[1])

# 1. Connect to the workspace and to the registry.
credential = DefaultAzureCredential()
credential.get_token("https://management.azure.com/.default")
workspace_ml_client = MLClient.from_config(credential=credential)
registry_ml_client = MLClient(credential, registry_name="azureml")
experiment_name = "chat_completion_Phi-3-mini-4k-instruct"
timestamp = str(int(time.time()))

# 2. Pick a foundation model.
model_name = "Phi-3-mini-4k-instruct"
foundation_model = registry_ml_client.models.get(model_name, label="latest")
print(f"Using model {foundation_model.name}, version {foundation_model.version}")

# 3. Check the compute, or create it.
compute_cluster = "gpu-cluster-big"
compute_cluster_size = "Standard_NC24rs_v3"
try:
    compute = workspace_ml_client.compute.get(compute_cluster)
    print("The compute cluster already exists! Reusing it for the current run")
except ResourceNotFoundError:
    print(f"Creating a new compute cluster {compute_cluster} of size {compute_cluster_size}")
    compute = AmlCompute(
        name=compute_cluster,
        size=compute_cluster_size,
        tier="Dedicated",
        max_instances=2,
    )
    workspace_ml_client.compute.begin_create_or_update(compute).wait()
compute = workspace_ml_client.compute.get(compute_cluster)
if compute.provisioning_state.lower() == "failed":
    raise ValueError(f"Provisioning failed, compute '{compute_cluster}' is in failed state")

if "finetune_compute_allow_list" in foundation_model.tags:
    allowed = ast.literal_eval(foundation_model.tags["finetune_compute_allow_list"])
    if compute.size.lower() not in [size.lower() for size in allowed]:
        raise ValueError(f"VM size {compute.size} is not in the allow-listed computes: {allowed}")
elif compute.size.lower() in (
    "standard_nc6",
    "standard_nc12",
    "standard_nc24",
    "standard_nc24r",
):
    raise ValueError(f"VM size {compute.size} is currently not supported for fine-tuning")

gpus_per_node = 0
available = workspace_ml_client.compute.list_sizes()
for size in workspace_ml_client.compute.list_sizes():
    if size.name.lower() == compute.size.lower():
        gpus_per_node = size.gpus
if not gpus_per_node:
    raise ValueError(f"No GPUs in {compute.size}; available: {[size.name for size in available]}")
print(f"Number of GPUs in compute {compute.size}: {gpus_per_node}")

# 4. The dataset: train and test splits are files, one row of test_gen is asked at the end.
rows = [json.loads(line) for line in (data / "test_gen.jsonl").open(encoding="utf-8")]
sample_score = {
    "input_data": {
        "input_string": [rows[0]["messages"]],
        "parameters": {
            "temperature": 0.6,
            "top_p": 0.9,
            "do_sample": True,
            "max_new_tokens": 200,
        },
    },
    "params": {},
}
(data / "sample_score.json").write_text(json.dumps(sample_score), encoding="utf-8")

# 5. Parameters of the fine-tuning: the tutorial's, then the model's own.
finetune_parameters = {
    "num_train_epochs": 3,
    "per_device_train_batch_size": 1,
    "per_device_eval_batch_size": 1,
    "learning_rate": 5e-6,
    "lr_scheduler_type": "cosine",
    "apply_lora": "true",
    "apply_deepspeed": "true",
    "deepspeed_stage": 2,
}
if "model_specific_defaults" in foundation_model.tags:
    finetune_parameters.update(ast.literal_eval(foundation_model.tags["model_specific_defaults"]))
print(f"The following finetune parameters are going to be set: {finetune_parameters}")


def get_pipeline_display_name() -> str:
    batch_size = (
        int(finetune_parameters.get("per_device_train_batch_size", 1))
        * int(finetune_parameters.get("gradient_accumulation_steps", 1))
        * int(gpus_per_node)
        * int(finetune_parameters.get("num_nodes_finetune", 1))
    )
    scheduler = finetune_parameters.get("lr_scheduler_type", "linear")
    deepspeed = finetune_parameters.get("apply_deepspeed", "false")
    stage = finetune_parameters.get("deepspeed_stage", "2")
    lora = finetune_parameters.get("apply_lora", "false")
    save_limit = finetune_parameters.get("save_total_limit", -1)
    seq_len = finetune_parameters.get("max_seq_length", -1)
    return "-".join(
        (
            model_name,
            "ultrachat",
            f"bs{batch_size}",
            f"{scheduler}",
            f"ds{stage}" if deepspeed == "true" else "nods",
            "lora" if lora == "true" else "nolora",
            f"save_limit{save_limit}",
            f"seqlen{seq_len}",
        )
    )


pipeline_display_name = get_pipeline_display_name()
print(f"Display name used for the run: {pipeline_display_name}")

# 6. Submit the pipeline and watch it.
pipeline_component_func: PipelineComponent = registry_ml_client.components.get(
    name="chat_completion_pipeline", label="latest"
)


@pipeline(name=pipeline_display_name)
def create_pipeline() -> dict[str, object]:
    chat_completion_pipeline = pipeline_component_func(
        mlflow_model_path=foundation_model.id,
        compute_model_import=compute_cluster,
        compute_preprocess=compute_cluster,
        compute_finetune=compute_cluster,
        compute_model_evaluation=compute_cluster,
        train_file_path=Input(type="uri_file", path=str(data / "train_sft.jsonl")),
        test_file_path=Input(type="uri_file", path=str(data / "test_sft.jsonl")),
        number_of_gpu_to_use_finetuning=gpus_per_node,
        **finetune_parameters,
    )
    return {"trained_model": chat_completion_pipeline.outputs.mlflow_model_folder}


pipeline_object: PipelineJob = create_pipeline()
pipeline_object.settings.force_rerun = True
pipeline_object.settings.continue_on_step_failure = False
pipeline_job = workspace_ml_client.jobs.create_or_update(
    pipeline_object, experiment_name=experiment_name
)
workspace_ml_client.jobs.stream(pipeline_job.name)

# 7. Review the metrics of training and evaluation.
workspace = workspace_ml_client.workspaces.get(workspace_ml_client.workspace_name)
mlflow.set_tracking_uri(workspace.mlflow_tracking_uri)
tracking = mlflow.MlflowClient()
root = tracking.get_run(pipeline_job.name)
steps = tracking.search_runs(
    [root.info.experiment_id], filter_string=f"tags.mlflow.rootRunId = '{pipeline_job.name}'"
)
for run in steps:
    if run.data.metrics:
        print(f"{run.info.run_name}: {run.data.metrics}")

# 8. Register the fine-tuned model.
print("pipeline job outputs:", workspace_ml_client.jobs.get(pipeline_job.name).outputs)
model_path = f"azureml://jobs/{pipeline_job.name}/outputs/trained_model"
registered_model_name = f"{model_name}-ultrachat-200k".replace("/", "-")
registered_model = workspace_ml_client.models.create_or_update(
    Model(
        path=model_path,
        type=AssetTypes.MLFLOW_MODEL,
        name=registered_model_name,
        version=timestamp,
        description=f"{model_name} fine-tuned for ultrachat 200k chat-completion",
    )
)
print("registered model:", registered_model.id)

# 9. Deploy it to an online endpoint.
online_endpoint_name = f"ultrachat-completion-{timestamp}"
endpoint = ManagedOnlineEndpoint(
    name=online_endpoint_name,
    description=f"Online endpoint for {registered_model.name}",
    auth_mode="key",
)
workspace_ml_client.begin_create_or_update(endpoint).wait()

instance_type = "Standard_NC6s_v3"
if "inference_compute_allow_list" in foundation_model.tags:
    allowed = ast.literal_eval(foundation_model.tags["inference_compute_allow_list"])
    if instance_type not in allowed:
        raise ValueError(f"`instance_type` is not in the allow listed compute: {allowed}")
demo_deployment = ManagedOnlineDeployment(
    name="demo",
    endpoint_name=online_endpoint_name,
    model=registered_model.id,
    instance_type=instance_type,
    instance_count=1,
    liveness_probe=ProbeSettings(initial_delay=600),
    request_settings=OnlineRequestSettings(request_timeout_ms=90000),
)
workspace_ml_client.online_deployments.begin_create_or_update(demo_deployment).wait()
endpoint.traffic = {"demo": 100}
workspace_ml_client.begin_create_or_update(endpoint).result()

# 10. Ask it.
response = workspace_ml_client.online_endpoints.invoke(
    endpoint_name=online_endpoint_name,
    deployment_name="demo",
    request_file=str(data / "sample_score.json"),
)
print("raw response:", response)

# 11. Delete the endpoint, which is billed for as long as it exists.
workspace_ml_client.online_endpoints.begin_delete(name=online_endpoint_name).wait()
