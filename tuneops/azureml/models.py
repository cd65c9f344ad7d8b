"""Registered models: one per training digest, in the project's name."""

from azure.core.exceptions import ResourceNotFoundError

from tuneops import names
from tuneops.azureml.errors import RefusedError, azure_errors
from tuneops.azureml.jobs import OUTPUT
from tuneops.azureml.transport import afresh
from tuneops.azureml.workspace import Workspace
from tuneops.release import Release


def is_registered(workspace: Workspace, release: Release) -> bool:
    """Whether the workspace has the model that the release's job trained.

    One that only a preview has registered has not passed as its project's.

    Raises:
        RefusedError: the version is taken by a model that was trained on something else.
        UnavailableError: the workspace can't be asked now.
    """
    name, version = release.model_name, release.model_version
    with azure_errors(f"model {name}:{version}"):
        try:
            model = workspace.ml.models.get(name, version=version)
        except ResourceNotFoundError:
            return False
    tags = model.tags or {}
    if tags.get(names.TAG_TRAINING) != release.plan.digest:
        raise RefusedError(f"model {name}:{version} exists and was not trained by this release")
    return names.is_preview(release.project) or names.TAG_PREVIEW not in tags


def is_archived(workspace: Workspace, release: Release) -> bool:
    """Whether somebody has archived the release's model.

    Raises:
        UnavailableError: the workspace can't be asked now.
    """
    from azure.ai.ml.constants import ListViewType

    name, archived = release.model_name, ListViewType.ARCHIVED_ONLY
    with azure_errors(f"models {name}"):
        try:
            found = workspace.ml.models.list(name=name, list_view_type=archived)
            return any(str(model.version) == release.model_version for model in found)
        except ResourceNotFoundError:
            return False


def restore(workspace: Workspace, release: Release) -> None:
    """Bring the release's archived model back.

    Raises:
        RefusedError: the workspace does not allow it.
        UnavailableError: the workspace can't be asked now.
    """
    with azure_errors(f"restoring model {release.model_name}:{release.model_version}"):
        workspace.ml.models.restore(release.model_name, version=release.model_version)


def register(workspace: Workspace, release: Release) -> None:
    """Register the output of the release's job; what a preview has registered is taken over.

    Raises:
        RefusedError: the workspace does not accept the model.
        UnavailableError: the workspace can't be asked now.
    """
    from azure.ai.ml.constants import AssetTypes
    from azure.ai.ml.entities import Model

    name, version = release.model_name, release.model_version
    with azure_errors(f"registering model {name}:{version}"):
        if release.may_be_registered and _take_over(workspace, release):
            return
        model = Model(
            name=name,
            version=version,
            type=AssetTypes.MLFLOW_MODEL,
            path=f"azureml://jobs/{release.job_name}/outputs/{OUTPUT}",
            description=f"{release.config.model.name} fine-tuned by job {release.job_name}",
            tags=_tags(release),
        )
        workspace.ml.models.create_or_update(model)


def _take_over(workspace: Workspace, release: Release) -> bool:
    """Whether the model is there, as a preview may have registered it; it is the project's then."""
    try:
        known = workspace.ml.models.get(release.model_name, version=release.model_version)
    except ResourceNotFoundError:
        return False
    if (known.tags or {}).get(names.TAG_TRAINING) != release.plan.digest:
        return False
    if not names.is_preview(release.project):
        with afresh():
            known = workspace.ml.models.get(release.model_name, version=release.model_version)
        known.tags = _tags(release)
        workspace.ml.models.create_or_update(known)
    return True


def _tags(release: Release) -> dict[str, str]:
    """What the model was made from, for people who find it in the studio."""
    data = release.data.digest if release.data else ""
    return {
        **release.tags,
        names.TAG_TRAINING: release.plan.digest,
        "tuneops.base_model": release.plan.base_model,
        "tuneops.data": f"{release.source.name}, prepared as {data}",
        "tuneops.job": release.job_name,
    }
