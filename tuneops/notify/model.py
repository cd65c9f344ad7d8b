"""Which model a message is about. Pure."""

from tuneops.release import Phase, Release


def model_text(release: Release) -> str:
    """The base model, and what it became and where that is, once it is registered."""
    if release.training is None:
        return release.config.model.name
    base = short(release.training.base_model)
    if release.entered(Phase.DEPLOYING) is None:
        return base
    made = f"{release.model_name}:{release.model_version}"
    return f"{base} fine-tuned as {made}, at {release.endpoint}/{release.deployment_name}"


def short(base_model: str) -> str:
    """A model of a registry or a workspace by its name and version: ``Phi-3:13``."""
    path, found, version = base_model.rpartition("/versions/")
    if found:
        return f"{path.rpartition('/')[2]}:{version}"
    return base_model.removeprefix("azureml:").rpartition("/")[2]


def instead(release: Release) -> str:
    """What the deployment runs on in place of what was not to be had, empty if all was."""
    lacking = [each.instance_type for each in release.provisioning.lacking]
    if not lacking:
        return ""
    return f" on {release.instance_type}, as there were no machines for {', '.join(lacking)}"
