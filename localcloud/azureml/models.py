"""Models of the workspace and their versions."""

import yaml

from localcloud.azureml.arm import Json, user_error
from localcloud.azureml.assets import MODEL_VERSIONS, Assets
from localcloud.azureml.bodies import optional_text, text
from localcloud.azureml.events import Outbox
from localcloud.azureml.site import Site
from localcloud.azureml.store import Store
from localcloud.azureml.versioned import VersionedAssets

TYPES = ("mlflow_model", "custom_model", "triton_model")


class Models(VersionedAssets):
    """The model routes."""

    kind, title, versions_kind = "models", "Model", MODEL_VERSIONS

    def __init__(self, site: Site, store: Store, assets: Assets, outbox: Outbox) -> None:
        super().__init__(site, store)
        self._assets = assets
        self._outbox = outbox

    def check_version(self, version: str) -> None:
        """Azure numbers models.

        Raises:
            ArmError: 400 for anything but a number.
        """
        if not version.isdigit():
            raise user_error("A model's version must be a positive integer.", target="version")

    def check_same(self, name: str, resource: Json, properties: Json) -> None:
        """A version's path never changes.

        Raises:
            ArmError: 400 when `properties` have another one.
        """
        current = resource["properties"]["modelUri"]
        uri = properties.get("modelUri") or current
        if uri != current and self._assets.canonical(uri)[0] != current:
            raise user_error(
                f"Model '{name}:{resource['name']}' is immutable: its path cannot be changed from "
                f"'{current}' to '{uri}'. Register a new version instead.",
                target="modelUri",
                inner={"code": "Immutable", "innerError": {"code": "AssetPathImmutable"}},
            )

    async def prepare(self, properties: Json) -> None:
        """A model that the caller uploaded is brought here, to be read and served."""
        await self._assets.fetch_uploaded(str(properties.get("modelUri") or ""))

    def own_properties(self, properties: Json) -> Json:
        """What a model has besides what every asset has."""
        kind = properties.get("modelType") or "custom_model"
        if kind not in TYPES:
            raise user_error(f"'{kind}' is not one of {', '.join(TYPES)}.", target="modelType")
        uri, job = self._assets.canonical(text(properties, "modelUri"))
        return {
            "flavors": self._flavors(uri) if kind == "mlflow_model" else {},
            "modelType": kind,
            "modelUri": uri,
            "stage": optional_text(properties, "stage"),
            "jobName": job,
        }

    def changed_properties(self, properties: Json) -> Json:
        """A model may move from one stage to another."""
        return {"stage": optional_text(properties, "stage")} if "stage" in properties else {}

    def _flavors(self, uri: str) -> Json:
        """The flavors that the folder's MLmodel file declares."""
        path = self._assets.local_path(uri)
        try:
            with open(f"{path}/MLmodel", encoding="utf-8") as file:
                flavors = yaml.safe_load(file)["flavors"]
        except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
            raise user_error(f"'{uri}' is no MLflow model: {error}", target="modelUri") from error
        return {
            name: {"data": {key: str(value) for key, value in (facts or {}).items()}}
            for name, facts in flavors.items()
        }

    def announce(self, name: str, version: str, properties: Json) -> None:
        """Tell that a version was registered."""
        data = {
            "modelName": name,
            "modelVersion": version,
            "modelTags": properties["tags"],
            "modelProperties": properties["properties"],
        }
        self._outbox.add("ModelRegistered", f"models/{name}:{version}", data)
