"""Planning a release: what will train it, with which inputs, and whether it can be served at all.

Everything is looked up and checked before a job costs anything.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from tuneops import component, feasibility, machines, names, parameters
from tuneops.azureml import compute, endpoints, registry
from tuneops.azureml.errors import RefusedError, UnavailableError
from tuneops.azureml.workspace import Workspace
from tuneops.config import Identity
from tuneops.feasibility import Quota, Size
from tuneops.observed import Deployment, Endpoint
from tuneops.release import Release, TrainingPlan


def plan(workspace: Workspace, release: Release) -> TrainingPlan:
    """The release's training plan.

    Its digest stands for what decides the model: base model, component, data and parameters.

    Raises:
        RefusedError: the config asks for something that there is not; the message says for what,
            and what to choose instead.
        UnavailableError: it can't be looked up now, or quota is in use that is needed.
    """
    if release.data is None:
        raise ValueError("the data is not prepared yet")
    config = release.config
    base = _base_model(workspace, release)
    fine_tune = _component(workspace, release)
    with _refusals():
        sizes, quotas = compute.sizes(workspace), compute.quotas(workspace)
        found = machines.trains_on(workspace, release.project, config, base.tags, sizes, quotas)
        own = {
            "mlflow_model_path": base.id,
            **release.data.inputs,
            **machines.inputs_of(release.config, found),
        }
        inputs = parameters.effective(own, config.training.parameters, base.tags)
        inputs = component.fit(inputs, fine_tune.inputs, fine_tune.id)
        training = TrainingPlan(
            base_model=base.id,
            component=fine_tune.id,
            parameters=inputs,
            digest=names.digest(
                base.id, fine_tune.id, release.data.digest, parameters.deciding(inputs)
            ),
            compute_size=found.size,
            nodes=found.nodes,
            gpus_per_node=found.gpus,
            tier=found.tier,
        )
        endpoint = endpoints.observe(workspace, release.endpoint, release.project)
        if endpoint:
            _check_endpoint(endpoint, config.endpoint.identity)
        note = _check_serving(
            release.replace(training=training), base.tags, sizes, quotas, endpoint
        )
    return training.replace(notes=tuple(filter(None, (_cut(release), found.note, note))))


def _cut(release: Release) -> str:
    """What is lost of rows that are longer than the config lets them be."""
    if release.data is None or not release.data.cut_rows:
        return ""
    limit = release.config.training.parameters.max_seq_length
    return (
        f"training.parameters.max_seq_length: about {release.data.cut_rows:,} rows are longer than "
        f"{limit:,} tokens and are cut there; see the data's report"
    )


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except feasibility.NoQuotaLeftError as error:
        raise UnavailableError(str(error)) from error
    except (
        feasibility.InfeasibleError,
        component.UnfitInputError,
        parameters.ModelDefaultsError,
    ) as error:
        raise RefusedError(str(error)) from error


def _base_model(workspace: Workspace, release: Release) -> registry.BaseModel:
    """The version that the config names, or that ``latest`` meant when it was first resolved."""
    model = release.config.model
    version = model.version
    if version == "latest" and release.pins.base_model:
        version = release.pins.base_model.rpartition("/")[2]
    return registry.base_model(workspace, model.registry, model.name, version)


def _component(workspace: Workspace, release: Release) -> registry.Component:
    """The version that the config names, or that ``latest`` meant when it was first resolved."""
    training = release.config.training
    version = training.component_version
    if version == "latest" and release.pins.component:
        version = release.pins.component.rpartition("/")[2]
    return registry.component(workspace, release.config.model.registry, training.component, version)


def _check_endpoint(endpoint: Endpoint, wanted: Identity) -> None:
    """Refuse somebody else's endpoint, and another identity than ours has for good."""
    if not endpoint.ours:
        raise RefusedError(
            f"endpoint.name: endpoint {endpoint.name} exists and was not created by this project; "
            "choose another name"
        )
    ids = frozenset(name.lower() for name in wanted.user_assigned_identities)
    if ids != endpoint.identities:
        raise RefusedError(
            f"endpoint.identity: endpoint {endpoint.name} has another identity, which Azure can't "
            "change; set endpoint.name to a new name, or put the identity back"
        )


def _check_serving(
    release: Release,
    model_tags: Mapping[str, str],
    sizes: list[Size],
    quotas: list[Quota],
    endpoint: Endpoint | None,
) -> str:
    """Make sure that the model can be deployed beside what serves now; gives what is not known."""
    spec = release.config.deployment
    wanted = spec.instance_types_by_field
    found = {field: feasibility.find_size(name, sizes, field) for field, name in wanted.items()}
    for field, size in found.items():
        feasibility.check_serving_size(size.name, model_tags, field)
    names = (release.deployment_name_on(name) for name in spec.instance_types)
    if endpoint and any(endpoint.deployment(name) for name in names):
        return ""

    def check(field: str) -> str:
        size = found[field]
        there = endpoint.deployments if endpoint else ()
        going = endpoint.superfluous if endpoint else ()
        return feasibility.check_quota(
            feasibility.deployment_cores(size, spec.first_count),
            size,
            quotas,
            field,
            freed=_cores(going, size.family, sizes),
            kept=_cores([each for each in there if each not in going], size.family, sizes),
        )

    return feasibility.first_possible(found, check)


def _cores(deployments: Iterable[Deployment], family: str, sizes: list[Size]) -> int:
    """The cores of one family that deployments take."""
    by_name = {size.name.lower(): size for size in sizes if size.family == family}
    return sum(
        feasibility.deployment_cores(by_name[each.instance_type.lower()], each.instance_count)
        for each in deployments
        if each.instance_type.lower() in by_name
    )
