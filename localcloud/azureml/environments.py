"""Environments of the workspace and their versions: what a job's command finds installed."""

from localcloud.azureml.arm import ArmError, Json, user_error
from localcloud.azureml.versioned import VersionedAssets

CONTENT = ("image", "condaFile", "build")


class Environments(VersionedAssets):
    """The environment routes. Nothing is built: jobs run with the compute node's own Python."""

    kind, title, versions_kind = "environments", "Environment", "environment-versions"

    def check_same(self, name: str, resource: Json, properties: Json) -> None:
        """What a version is made of never changes.

        Raises:
            ArmError: 409 when `properties` have something else.
        """
        current = resource["properties"]
        changed = [key for key in CONTENT if (properties.get(key) or None) != current[key]]
        if changed:
            raise ArmError(
                409,
                "Conflict",
                f"Environment '{name}:{resource['name']}' is immutable: its {', '.join(changed)} "
                "cannot be changed. Register a new version instead.",
                target=changed[0],
            )

    def own_properties(self, properties: Json) -> Json:
        """What an environment has besides what every asset has."""
        content = {key: properties.get(key) or None for key in CONTENT}
        if not content["image"] and not content["build"]:
            raise user_error("An environment needs an image or a build context.", target="image")
        return content | {
            "environmentType": "UserCreated",
            "inferenceConfig": properties.get("inferenceConfig"),
            "osType": properties.get("osType") or "Linux",
            "autoRebuild": properties.get("autoRebuild"),
            "stage": properties.get("stage"),
        }
