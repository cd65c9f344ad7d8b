"""Training jobs: the registry's fine-tuning pipeline, submitted and looked at."""

import math
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import ResourceNotFoundError

from tuneops import names, parameters
from tuneops.azureml import reasons, registry
from tuneops.azureml.errors import RefusedError, azure_errors
from tuneops.azureml.workspace import Workspace, plain
from tuneops.config import JobIdentity
from tuneops.observed import Job
from tuneops.release import Release

if TYPE_CHECKING:
    from azure.ai.ml.entities import PipelineJob

OUTPUT = "trained_model"
MAX_DISPLAY_NAME = 256

building = threading.Lock()
"""The SDK builds pipelines on one stack for the whole process (azure-ai-ml 1.35)."""


def observe(workspace: Workspace, name: str, project: str = "") -> Job | None:
    """The job with this name, or None.

    Where a `project` is asked for, the job's release is known if it is one of that.

    Raises:
        UnavailableError: the workspace can't be asked now.
    """
    with azure_errors(f"job {name}"):
        try:
            job = workspace.ml.jobs.get(name)
        except ResourceNotFoundError:
            return None
        tags = job.tags or {}
        known = not project or names.is_ours(tags, project)
        release = tags.get(names.TAG_RELEASE, "") if known else ""
        created = job.creation_context.created_at if job.creation_context else None
        seen = Job(status=plain(job.status), release=release, created=created)
        error = reasons.of_job(workspace, name) if seen.unsuccessful else ""
    return replace(seen, error=error)


def submit(workspace: Workspace, release: Release) -> str:
    """Submit the release's training pipeline; gives the address of its page in the studio.

    The name is the release's own, so doing it twice gives one job.

    Raises:
        RefusedError: the workspace or the component does not accept the job.
        UnavailableError: the workspace can't be asked now.
    """
    with azure_errors(f"submitting job {release.job_name}"):
        job = _pipeline_job(workspace, release)
        submitted = workspace.ml.jobs.create_or_update(job)
    return str(submitted.studio_url or "")


def cancel(workspace: Workspace, name: str) -> None:
    """Begin cancelling a job; one that has ended meanwhile is left as it is.

    Raises:
        UnavailableError: the workspace can't be asked now.
    """
    with suppress(RefusedError), azure_errors(f"cancelling job {name}"):
        workspace.ml.jobs.begin_cancel(name)


def display_name(release: Release) -> str:
    """The name that the studio shows, by the rule of Microsoft's tutorial."""
    given = parameters.values(release.plan.parameters)
    rows = math.prod(
        int(given.get(name, 1))
        for name in (
            "per_device_train_batch_size",
            "gradient_accumulation_steps",
            "number_of_gpu_to_use_finetuning",
            "num_nodes_finetune",
        )
    )
    deepspeed = given.get("apply_deepspeed") == "true"
    name = "-".join(
        (
            release.config.model.name,
            names.family(release.project),
            f"bs{rows}",
            str(given.get("lr_scheduler_type", "linear")),
            f"ds{given.get('deepspeed_stage', '2')}" if deepspeed else "nods",
            "lora" if given.get("apply_lora") == "true" else "nolora",
            f"save_limit{given.get('save_total_limit', -1)}",
            f"seqlen{given.get('max_seq_length', -1)}",
        )
    )
    return name[:MAX_DISPLAY_NAME]


def job_identity(wanted: JobIdentity | None) -> Any:
    """What a job reads and writes data as, as the SDK wants it."""
    from azure.ai.ml.entities import AmlTokenConfiguration, ManagedIdentityConfiguration

    if wanted is None:
        return None
    if wanted.type == "aml_token":
        return AmlTokenConfiguration()
    return ManagedIdentityConfiguration(client_id=wanted.client_id)


def _pipeline_job(workspace: Workspace, release: Release) -> "PipelineJob":
    from azure.ai.ml import Input
    from azure.ai.ml.dsl import pipeline
    from azure.ai.ml.entities import PipelineJobSettings

    fine_tune = registry.component_of(workspace, release.plan.component).call
    inputs = {
        name: Input(type=parameters.ASSET_INPUTS[name], path=str(value))
        if name in parameters.ASSET_INPUTS
        else value
        for name, value in parameters.values(release.plan.parameters).items()
    }

    def fine_tuning() -> dict[str, Any]:
        step = fine_tune(**inputs)
        return {OUTPUT: step.outputs.mlflow_model_folder}

    with building:
        job = pipeline(fine_tuning, name=release.config.training.component)()
    job.name = release.job_name
    job.display_name = display_name(release)
    job.experiment_name = f"chat_completion_{release.config.model.name}"
    job.tags = release.tags
    job.identity = job_identity(release.config.compute.identity)
    job.settings = PipelineJobSettings(force_rerun=True, continue_on_step_failure=False)
    if release.config.compute.serverless:
        job.settings.default_compute = release.config.compute.name
    return job
