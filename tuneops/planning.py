"""Planning a release: what will train it, with which inputs, and whether it can be served at all.

Everything is looked up and checked before a job costs anything.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tuneops import component, feasibility, names, parameters
from tuneops.azureml import compute, endpoints, registry
from tuneops.azureml.errors import RefusedError, UnavailableError
from tuneops.azureml.workspace import Workspace
from tuneops.config import Compute, InstanceTypes
from tuneops.feasibility import Quota, Size
from tuneops.observed import FAILED, Endpoint
from tuneops.parameters import Origin, Parameter, Value
from tuneops.release import Release, TrainingPlan

STEPS = ("model_import", "preprocess", "finetune", "model_evaluation")
_WITHOUT_EFFECT_ON_THE_MODEL = frozenset(
    {f"{kind}_{step}" for kind in ("compute", "instance_type") for step in STEPS}
    | {"shm_size_finetune"}
)


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
        size, gpus = _trains_on(workspace, config.compute, base.tags, sizes, quotas)
        own = {"mlflow_model_path": base.id, **release.data.inputs, **_machines(release, gpus)}
        inputs = parameters.effective(own, config.training.parameters, base.tags)
        inputs = component.fit(inputs, fine_tune.inputs, fine_tune.id)
        training = TrainingPlan(
            base_model=base.id,
            component=fine_tune.id,
            parameters=inputs,
            digest=_digest(base.id, fine_tune.id, release.data.digest, inputs),
            compute_size=size.name,
            gpus_per_node=gpus,
        )
        endpoint = endpoints.observe(workspace, release.endpoint, release.project)
        _check_serving(release.replace(training=training), base.tags, sizes, quotas, endpoint)
    return training


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


def _trains_on(
    workspace: Workspace,
    wanted: Compute,
    model_tags: Mapping[str, str],
    sizes: list[Size],
    quotas: list[Quota],
) -> tuple[Size, int]:
    """The size of the machines that train, and how many of their GPUs are used."""
    if wanted.serverless:
        types = wanted.instance_types or InstanceTypes()
        for step in STEPS:
            each = str(getattr(types, step))
            feasibility.find_size(each, sizes, f"compute.instance_types.{step}")
        field, name, is_new = "compute.instance_types.finetune", types.finetune, True
    else:
        field, name, is_new = _cluster(workspace, wanted)
    size = feasibility.find_size(name, sizes, field)
    feasibility.check_fine_tuning_size(size.name, model_tags, field)
    if is_new:
        feasibility.check_quota(wanted.nodes * size.cores, size, quotas, field)
    return size, feasibility.gpus_per_node(size, wanted.gpus_per_node, field)


def _cluster(workspace: Workspace, wanted: Compute) -> tuple[str, str, bool]:
    """The config field that decides the cluster's size, the size, and whether it is to be made."""
    found = compute.observe(workspace, wanted.name)
    if found is None:
        if wanted.cluster is None:
            raise RefusedError(
                f"compute.name: the workspace has no compute {wanted.name}; describe it under "
                "compute.cluster to have it created, name another one, or use serverless"
            )
        return "compute.cluster.size", wanted.cluster.size, True
    if found.state == FAILED:
        why = f" ({found.error})" if found.error else ""
        raise RefusedError(
            f"compute.name: compute {found.name} failed to provision{why}; repair or delete it, or "
            "name another one"
        )
    if not found.size:
        raise RefusedError(f"compute.name: {found.name} is no AmlCompute cluster; name one")
    if found.max_nodes is not None and found.max_nodes < wanted.nodes:
        raise RefusedError(
            f"compute.nodes: compute {found.name} has at most {found.max_nodes} nodes, "
            f"{wanted.nodes} are asked for; ask for fewer or let it grow"
        )
    return "compute.name", found.size, False


def _machines(release: Release, gpus: int) -> dict[str, Value]:
    """The component's inputs that say where its steps run."""
    wanted = release.config.compute
    inputs: dict[str, Value] = {
        "num_nodes_finetune": wanted.nodes,
        "number_of_gpu_to_use_finetuning": gpus,
        **{f"compute_{step}": wanted.name for step in STEPS},
    }
    if wanted.serverless:
        types = (wanted.instance_types or InstanceTypes()).model_dump()
        inputs |= {f"instance_type_{step}": types[step] for step in STEPS}
    return inputs


def _digest(base: str, component_id: str, data: str, inputs: Mapping[str, Parameter]) -> str:
    """Of the inputs, TuneOps's own are said by the model and the data; machines change nothing."""
    machines = {"num_nodes_finetune", "number_of_gpu_to_use_finetuning"}
    deciding = {
        name: parameter.value
        for name, parameter in inputs.items()
        if name in machines
        or (parameter.origin != Origin.TUNEOPS and name not in _WITHOUT_EFFECT_ON_THE_MODEL)
    }
    return names.digest(base, component_id, data, deciding)


def _check_serving(
    release: Release,
    model_tags: Mapping[str, str],
    sizes: list[Size],
    quotas: list[Quota],
    endpoint: Endpoint | None,
) -> None:
    """Make sure that the model can be deployed beside what serves now."""
    field = "deployment.instance_type"
    spec = release.config.deployment
    size = feasibility.find_size(spec.instance_type, sizes, field)
    feasibility.check_serving_size(size.name, model_tags, field)
    if endpoint and endpoint.deployment(release.deployment_name):
        return
    by_name = {known.name.lower(): known for known in sizes}
    freed = sum(
        feasibility.deployment_cores(by_name[gone.instance_type.lower()], gone.instance_count)
        for gone in (endpoint.superfluous if endpoint else ())
        if gone.instance_type.lower() in by_name
        and by_name[gone.instance_type.lower()].family == size.family
    )
    cores = feasibility.deployment_cores(size, spec.instance_count)
    feasibility.check_quota(cores, size, quotas, field, freed=freed)
