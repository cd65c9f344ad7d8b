"""Data assets of the workspace and their versions: names for files that jobs read."""

from localcloud.azureml.arm import Json, user_error
from localcloud.azureml.assets import DATA_VERSIONS, Assets
from localcloud.azureml.bodies import text
from localcloud.azureml.site import Site
from localcloud.azureml.store import Store
from localcloud.azureml.versioned import VersionedAssets

TYPES = ("uri_file", "uri_folder", "mltable")


class DataAssets(VersionedAssets):
    """The data routes."""

    kind, title, versions_kind = "data", "Data asset", DATA_VERSIONS

    def __init__(self, site: Site, store: Store, assets: Assets) -> None:
        super().__init__(site, store)
        self._assets = assets

    def check_same(self, name: str, resource: Json, properties: Json) -> None:
        """A version's path never changes.

        Raises:
            ArmError: 400 when `properties` have another one.
        """
        current = resource["properties"]["dataUri"]
        uri = properties.get("dataUri") or current
        if uri != current and self._assets.data_uri(uri) != current:
            raise user_error(
                f"A data version with this name and version already exists: the path of "
                f"'{name}:{resource['name']}' is '{current}' and cannot be changed to '{uri}'. "
                "Register a new version instead.",
                target="dataUri",
                inner={"code": "Immutable", "innerError": {"code": "AssetPathImmutable"}},
            )

    def container_properties(self, properties: Json) -> Json:
        """The kind of data, which is that of the first version."""
        return {"dataType": text(properties, "dataType", TYPES[0])}

    def own_properties(self, properties: Json) -> Json:
        """What a data asset has besides what every asset has."""
        kind = text(properties, "dataType")
        if kind not in TYPES:
            raise user_error(f"'{kind}' is not one of {', '.join(TYPES)}.", target="dataType")
        return {"dataType": kind, "dataUri": self._assets.data_uri(text(properties, "dataUri"))}
