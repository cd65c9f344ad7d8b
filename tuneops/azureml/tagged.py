"""What carries our tags in a workspace, and a look at one such resource itself.

The list comes from Resource Graph, which lags; whoever acts on it looks at the resource first.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from azure.core.exceptions import ResourceNotFoundError

from tuneops import names
from tuneops.azureml import arm, traffic_metrics
from tuneops.azureml.arm import Json
from tuneops.azureml.errors import MissingRoleError, azure_errors
from tuneops.azureml.resource_graph import ENDPOINTS, rows_of
from tuneops.azureml.workspace import Workspace, plain
from tuneops.observed import CANCELED, COMPLETED, FAILED, SUCCEEDED
from tuneops.sweep.finding import Proof
from tuneops.sweep.resource import Kind, Resource

OLDEST_JOB = timedelta(days=22)
"""No job of Azure ML lives longer than 21 days."""
MAX_JOBS = 2000
_ENDED = (COMPLETED, FAILED, CANCELED)
_SETTLED = (SUCCEEDED, FAILED, CANCELED)


def resources(workspace: Workspace, now: datetime) -> list[Resource]:
    """All endpoints, deployments, clusters and running jobs that carry our tags.

    Raises:
        RefusedError: Resource Graph does not answer so that it can be understood.
        MissingRoleError: it does not show the workspace to TuneOps's identity.
        UnavailableError: the workspace can't be asked now.
    """
    rows = rows_of(workspace, ENDPOINTS)
    own = f"{workspace.id.lower()}/"
    found = [Resource(row.id, row.tags or {}) for row in rows if row.id.lower().startswith(own)]
    found += _clusters(workspace)
    found += _jobs(workspace, now)
    return [resource for resource in found if resource.project]


def look(
    workspace: Workspace, resource: Resource, since: datetime, now: datetime
) -> tuple[Resource, Proof, tuple[Json, ...]] | None:
    """The resource with its tags as they are, whether it is unused since then, and its definition.

    None: it is not there any more.

    Raises:
        RefusedError, UnavailableError: it can't be told now.
    """
    if resource.kind == Kind.JOB:
        return _look_at_job(workspace, resource)
    found = arm.get(workspace, resource.id)
    if found is None:
        return None
    seen = Resource(resource.id, _tags(found))
    if resource.kind == Kind.CLUSTER:
        return seen, _cluster(found, since), (found,)
    behind: list[Json] = []
    if resource.kind == Kind.ENDPOINT:
        behind = arm.listed(workspace, f"{resource.id}/deployments")
        endpoint, deployment, left = found, "", _occupied(seen, found, behind)
    else:
        endpoint = arm.get(workspace, resource.above) or {}
        deployment, left = resource.name, _shared(resource, endpoint) or _changing(found)
        if names.TAG_KEEP in _tags(endpoint):
            seen = Resource(seen.id, {**seen.tags, names.TAG_KEEP: "its endpoint has it"})
    proof = Proof(left=left) if left else _asked(workspace, endpoint, deployment, since, now)
    return seen, proof, (found, *behind)


def asset_names(workspace: Workspace) -> tuple[frozenset[str], frozenset[str]]:
    """The names of all models and of all data of the workspace.

    Raises:
        RefusedError, UnavailableError: it can't be asked now.
    """
    with azure_errors("models and data"):
        models = frozenset(str(each.name) for each in workspace.ml.models.list())
        return models, frozenset(str(each.name) for each in workspace.ml.data.list())


def _asked(
    workspace: Workspace, endpoint: Json, deployment: str, since: datetime, now: datetime
) -> Proof:
    """What Azure Monitor says of requests."""
    name = str(endpoint.get("name", ""))
    try:
        count = traffic_metrics.requests_of(workspace, name, deployment, since, now)
    except MissingRoleError as error:
        return Proof(left=f"it can't be told whether it is used: {error}")
    if count:
        return Proof(left=f"it is in use: {count} requests since {since:%Y-%m-%d %H:%M} UTC")
    share = "0% of the traffic, " if deployment else ""
    return Proof(proof=f"{share}no requests", since=since)


def _occupied(endpoint: Resource, found: Json, behind: list[Json]) -> str:
    """Why an endpoint can't go, whatever its requests."""
    for each in behind:
        if _tags(each).get(names.TAG_PROJECT) != endpoint.project:
            return f"deployment {each.get('name')} behind it is somebody else's"
        if names.TAG_KEEP in _tags(each):
            return f"deployment {each.get('name')} behind it has the tag {names.TAG_KEEP}"
        if changing := _changing(each):
            return f"deployment {each.get('name')}: {changing}"
    return _changing(found)


def _shared(deployment: Resource, endpoint: Json) -> str:
    """Why a deployment can't go: Azure keeps its name in the traffic rules, be it in any case."""
    for rules, what in (("traffic", "traffic"), ("mirrorTraffic", "mirrored traffic")):
        shares = _properties(endpoint).get(rules) or {}
        share = {str(k).lower(): v for k, v in shares.items()}.get(deployment.name.lower())
        if share:
            return f"it gets {share}% of the {what}"
    return ""


def _cluster(found: Json, since: datetime) -> Proof:
    """Whether it has nodes; Azure says since when it has as many as it has."""
    inner = _properties(found).get("properties") or {}
    counts = (inner.get(key) or 0 for key in ("currentNodeCount", "targetNodeCount"))
    nodes = max(counts, default=0)
    least = (inner.get("scaleSettings") or {}).get("minNodeCount") or 0
    if nodes or least:
        return Proof(left=f"it has {max(nodes, least)} nodes: see what they run, then delete it")
    resized = _moment(inner.get("allocationStateTransitionTime")) or since
    if resized > since:
        return Proof(left=f"it was in use until {resized:%Y-%m-%d %H:%M} UTC")
    return Proof(left=_changing(found), proof="no nodes", since=resized)


def _changing(found: Json) -> str:
    state = str(_properties(found).get("provisioningState", ""))
    return "" if state in _SETTLED else f"it is {state or 'in no known state'}"


def _look_at_job(
    workspace: Workspace, resource: Resource
) -> tuple[Resource, Proof, tuple[Json, ...]] | None:
    with azure_errors(f"job {resource.name}"):
        try:
            job = workspace.ml.jobs.get(resource.name)
        except ResourceNotFoundError:
            return None
    if plain(job.status) in _ENDED:
        return None
    seen = Resource(resource.id, dict(job.tags or {}))
    return seen, Proof(proof=f"it is {plain(job.status)}"), ()


def _clusters(workspace: Workspace) -> Iterator[Resource]:
    with azure_errors("the computes"):
        for found in workspace.ml.compute.list(compute_type="AmlCompute"):
            yield Resource(f"{workspace.id}/computes/{found.name}", dict(found.tags or {}))


def _jobs(workspace: Workspace, now: datetime) -> Iterator[Resource]:
    """Those of ours that have not ended; Azure gives the newest first."""
    with azure_errors("the jobs"):
        listed = workspace.ml.jobs.list(tag=names.TAG_PROJECT)
        for count, job in enumerate(listed):
            created = job.creation_context.created_at if job.creation_context else None
            if count == MAX_JOBS or (created and now - _aware(created) > OLDEST_JOB):
                return
            if plain(job.status) not in _ENDED:
                yield Resource(f"{workspace.id}/jobs/{job.name}", dict(job.tags or {}))


def _moment(text: object) -> datetime | None:
    try:
        return _aware(datetime.fromisoformat(str(text)))
    except ValueError:
        return None


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _tags(found: Json) -> dict[str, str]:
    return {str(name): str(value) for name, value in (found.get("tags") or {}).items()}


def _properties(found: Json) -> Json:
    properties = found.get("properties")
    return properties if isinstance(properties, dict) else {}
