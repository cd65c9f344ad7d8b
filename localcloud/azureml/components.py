"""Components of the workspace and their versions: what the steps of pipelines are made of."""

from localcloud.azureml.arm import ArmError, Json, user_error
from localcloud.azureml.bodies import section, text
from localcloud.azureml.registry import on_the_wire
from localcloud.azureml.versioned import VersionedAssets

KINDS = ("command", "parallel")


class Components(VersionedAssets):
    """The component routes.

    The SDK registers a step's inline component as a version of `azureml_anonymous` that is named
    by its hash, so the same component is one version however often it is submitted.
    """

    kind, title, versions_kind = "components", "Component", "component-versions"

    def check_same(self, name: str, resource: Json, properties: Json) -> None:
        """What a version is made of never changes.

        Raises:
            ArmError: 409 when `properties` have another specification.
        """
        given = self.own_properties(properties)["componentSpec"]
        if given | _identity(name, resource["name"]) != _spec(resource):
            raise ArmError(
                409,
                "Conflict",
                f"Component '{name}:{resource['name']}' is immutable: its specification cannot be "
                "changed. Register a new version instead.",
                target="componentSpec",
            )

    def own_properties(self, properties: Json) -> Json:
        """What a component has besides what every asset has."""
        spec = section(properties, "componentSpec")
        if text(spec, "type") not in KINDS:
            message = f"The local cloud has components of type {' and '.join(KINDS)} only."
            raise user_error(message, target="componentSpec.type")
        kept = {key: value for key, value in spec.items() if key != "_source"}
        inputs = section(spec, "inputs")
        kept["inputs"] = {key: {"optional": False} | section(inputs, key) for key in inputs}
        return {"componentSpec": on_the_wire(kept)}

    def spec(self, identifier: str) -> Json:
        """The specification of the component with this ARM id; its scalars are all strings.

        Raises:
            ArmError: 404 when there is none.
        """
        return _spec(self.find(identifier))

    def _resource(self, name: str, version: str, properties: Json, caller: str) -> Json:
        resource = super()._resource(name, version, properties, caller)
        _spec(resource).update(_identity(name, version))
        return resource


def _identity(name: str, version: str) -> Json:
    """What the service itself puts into a specification."""
    return {"name": name, "version": version}


def _spec(resource: Json) -> Json:
    spec: Json = resource["properties"]["componentSpec"]
    return spec
