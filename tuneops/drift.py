"""Drift: where what Azure has differs from what the live release is made of. Pure.

Whose an endpoint is: the project's when it carries the project's tag. One without a tag of TuneOps
is known as the project's by what is behind it: the live deployment, whose name is a digest that
nobody makes up, or another one with the project's tag. Any other endpoint is a stranger's, whatever
its name: that is a difference which people are told of, and nothing of it is ever changed.

Deployments that people add are no difference as long as they get no traffic.
"""

from collections.abc import Iterator, Mapping

from tuneops import names
from tuneops.config import Deployment as DeploymentConfig
from tuneops.difference import Difference, Part
from tuneops.observed import CANCELED, FAILED, SUCCEEDED, Deployment, Endpoint, Observed
from tuneops.release import Release

_VARIABLES = "environment_variables"


def differences(release: Release, observed: Observed) -> tuple[Difference, ...]:
    """What differs from a live release, in a stable order."""
    return (
        *_serving(release, observed.endpoint),
        *_scaling(release, observed),
        *_model(release, observed),
    )


def is_known(release: Release, endpoint: Endpoint) -> bool:
    """Whether an endpoint with the release's name for it is the project's."""
    if endpoint.ours or names.TAG_PROJECT in endpoint.tags:
        return endpoint.ours
    live = release.deployment_name if release.training else ""
    return any(found.release or found.name == live for found in endpoint.deployments)


def _serving(release: Release, endpoint: Endpoint | None) -> Iterator[Difference]:
    name = f"endpoint {release.endpoint}"
    if endpoint is None:
        yield Difference(part=Part.ENDPOINT_GONE, what=name, found="gone")
    elif not is_known(release, endpoint):
        owner = endpoint.tags.get(names.TAG_PROJECT)
        whose = f"project {owner}'s" if owner else "somebody else's"
        yield Difference(part=Part.FOREIGN, what=name, found=whose, wanted="this project's")
    else:
        deployment = endpoint.deployment(release.deployment_name)
        if deployment is None or endpoint.is_untested(deployment, release.number):
            found = "not known to have been tested" if deployment else "gone"
            what, deployment = f"deployment {release.deployment_name}", None
            yield Difference(part=Part.DEPLOYMENT_GONE, what=what, found=found)
        else:
            yield from _traffic(deployment.name, endpoint)
        yield from _endpoint(release, endpoint)
        if deployment:
            yield from _deployment(release, deployment)


def _traffic(deployment: str, endpoint: Endpoint) -> Iterator[Difference]:
    for what, found, wanted in (
        ("traffic", endpoint.traffic, {deployment: 100}),
        ("mirror traffic", endpoint.mirror_traffic, {}),
    ):
        if dict(found) != wanted:
            yield Difference(
                part=Part.TRAFFIC, what=what, found=_shares(found), wanted=_shares(wanted)
            )


def _shares(traffic: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {share}%" for name, share in sorted(traffic.items())) or "none"


def _endpoint(release: Release, endpoint: Endpoint) -> Iterator[Difference]:
    wanted, part, name = release.config.endpoint, Part.ENDPOINT, f"endpoint {endpoint.name}"
    if endpoint.broken:
        yield Difference(part=part, what=name, found=endpoint.state, wanted=SUCCEEDED)
    found = {
        "auth_mode": endpoint.auth_mode,
        "public_network_access": endpoint.public_network_access,
    }
    for field, value in found.items():
        should = getattr(wanted, field)
        if value != should:
            yield Difference(part=part, what=f"endpoint.{field}", found=value, wanted=should)
    yield from _tags(part, "endpoint", endpoint.tags, wanted.tags)
    yield from _lost(part, name, endpoint.lost_tags)


def _deployment(release: Release, deployment: Deployment) -> Iterator[Difference]:
    wanted, part, name = release.deployment, Part.DEPLOYMENT, f"deployment {deployment.name}"
    if deployment.other_owner:
        whose = f"project {deployment.other_owner}'s"
        yield Difference(part=Part.FOREIGN, what=name, found=whose, wanted="this project's")
        return
    if deployment.state in (FAILED, CANCELED):
        yield Difference(part=part, what=name, found=deployment.state, wanted=SUCCEEDED)
    model = f"{release.model_name}:{release.model_version}"
    if deployment.model not in ("", model):
        what = f"model of {name}"
        yield Difference(part=part, what=what, found=deployment.model, wanted=model)
    if deployment.settings:
        yield from _settings(deployment.settings, wanted)
        yield from _variables(deployment.settings, wanted.environment_variables)
        yield from _tags(part, "deployment", deployment.tags, wanted.tags)
    yield from _lost(part, name, deployment.lost_tags)


def _settings(found: Mapping[str, str], wanted: DeploymentConfig) -> Iterator[Difference]:
    """What Azure leaves out is taken as it should be."""
    others = {"tags", _VARIABLES, "autoscale", *(("instance_count",) if wanted.autoscale else ())}
    for path, should in _flat(wanted.model_dump(exclude=others)).items():
        value = found.get(path, should)
        if not _alike(path, value, should):
            what = f"deployment.{path}"
            yield Difference(part=Part.DEPLOYMENT, what=what, found=value, wanted=should)


def _alike(path: str, found: str, wanted: str) -> bool:
    """Sizes are spelled in any case; the SDK gives times in whole seconds (azure-ai-ml 1.35)."""
    if path.endswith("_ms") and found.isdecimal():
        return int(found) // 1000 == int(wanted) // 1000
    return found.lower() == wanted.lower()


def _variables(found: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[Difference]:
    """Their values are shown to nobody: somebody may have put a secret there."""
    for name, should in wanted.items():
        path = f"{_VARIABLES}.{name}"
        if found.get(path) != should:
            shown = "another one" if path in found else "missing"
            what = f"deployment.{path}"
            yield Difference(part=Part.DEPLOYMENT, what=what, found=shown, wanted="the config's")


def _flat(values: Mapping[str, object], above: str = "") -> dict[str, str]:
    """The texts of nested values by their paths, with dots."""
    found: dict[str, str] = {}
    for name, value in values.items():
        path = f"{above}{name}"
        found |= _flat(value, f"{path}.") if isinstance(value, Mapping) else {path: str(value)}
    return found


def _tags(
    part: Part, what: str, found: Mapping[str, str], wanted: Mapping[str, str]
) -> Iterator[Difference]:
    """The config's own tags; Azure tells their names apart by letters, not by case."""
    there = {name.lower(): value for name, value in found.items()}
    for name, should in wanted.items():
        value = there.get(name.lower())
        if value != should:
            shown = "missing" if value is None else value
            yield Difference(part=part, what=f"{what}.tags.{name}", found=shown, wanted=should)


def _lost(part: Part, name: str, lost: tuple[str, ...]) -> Iterator[Difference]:
    for tag in lost:
        yield Difference(part=part, what=f"tag {tag} of {name}", found="missing")


def _scaling(release: Release, observed: Observed) -> Iterator[Difference]:
    """How the deployment's autoscale setting differs; none is looked for without the deployment."""
    endpoint = observed.endpoint
    if endpoint is None or not is_known(release, endpoint):
        return
    if endpoint.deployment(release.deployment_name):
        for what, found, wanted in scaling_differences(release, observed):
            yield Difference(part=Part.AUTOSCALE, what=what, found=found, wanted=wanted)


def scaling_differences(release: Release, observed: Observed) -> Iterator[tuple[str, str, str]]:
    """What of the deployment's autoscale setting is found otherwise, and how it should be."""
    spec, found = release.deployment, observed.scaling(release.deployment_name)
    what = "deployment.autoscale"
    if spec.autoscale is None:
        if found:
            yield what, "set", "none"
        return
    if found is None:
        yield what, "missing", "the config's"
        return
    for name, should in spec.autoscale.settings(spec.instance_count).items():
        value = found.settings.get(name, "")
        if value != should:
            yield f"{what}.{name}", value or "missing", should


def _model(release: Release, observed: Observed) -> Iterator[Difference]:
    if observed.model_archived:
        what = f"model {release.model_name}:{release.model_version}"
        yield Difference(part=Part.MODEL, what=what, found="archived")
