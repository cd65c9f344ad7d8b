"""A model of Azure ML: what is begun there takes its time, and ends well or not."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random

from tuneops.observed import Cluster, Deployment, Endpoint, Job, Scaling

ENDED = ("Completed", "Failed", "Canceled")
TO_SHIFT = ("Succeeded", "Failed", "Canceled")


class BusyError(Exception):
    """Azure does not take this now; nothing is done."""


class ViolationError(AssertionError):
    """Something happened that must never happen."""


@dataclass
class Azure:
    """Jobs by name, models by training digest, endpoints with their deployments, one cluster.

    `passed` are the deployments, as (endpoint, name), whose smoke test has passed since they were
    made; those that are `broken` never pass it, and `dull` ones answer no evaluation set well.
    `scalings` are the autoscale settings, which outlive what they are for. `machines` says how many
    deployments there are machines for, by instance type; of others there are always enough. Jobs
    that are `endless` run until they are cancelled.
    """

    jobs: dict[str, Job] = field(default_factory=dict)
    models: set[str] = field(default_factory=set)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    cluster: Cluster | None = None
    archived: bool = False
    passed: set[tuple[str, str]] = field(default_factory=set)
    broken: set[tuple[str, str]] = field(default_factory=set)
    dull: set[tuple[str, str]] = field(default_factory=set)
    scalings: dict[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    machines: Mapping[str, int] = field(default_factory=dict)
    endless: set[str] = field(default_factory=set)

    def fork(self) -> "Azure":
        """A copy that goes its own way."""
        return Azure(
            dict(self.jobs),
            set(self.models),
            dict(self.endpoints),
            self.cluster,
            self.archived,
            set(self.passed),
            set(self.broken),
            set(self.dull),
            dict(self.scalings),
            self.machines,
            set(self.endless),
        )

    def scaled(self) -> tuple[Scaling, ...]:
        """The autoscale settings of what is, or was, behind all endpoints."""
        return tuple(Scaling(of, name, s) for (of, name), s in self.scalings.items())

    @property
    def deployments(self) -> list[Deployment]:
        """All there are, behind whatever endpoint."""
        return [d for endpoint in self.endpoints.values() for d in endpoint.deployments]

    def is_short(self, endpoint: str, deployment: Deployment) -> bool:
        """Whether what others run on leaves no machines for it."""
        size = deployment.instance_type
        if size not in self.machines:
            return False
        others = [
            d
            for e in self.endpoints.values()
            for d in e.deployments
            if (e.name, d.name) != (endpoint, deployment.name)
        ]
        used = [
            d for d in others if d.instance_type == size and d.state not in ("Failed", "Creating")
        ]
        return len(used) >= self.machines[size]

    @property
    def under_way(self) -> bool:
        """Whether an operation or a job has not ended yet."""
        return (
            any(job.status not in ENDED for job in self.jobs.values())
            or any(
                endpoint.state not in TO_SHIFT or not all(d.settled for d in endpoint.deployments)
                for endpoint in self.endpoints.values()
            )
            or (self.cluster is not None and self.cluster.state not in TO_SHIFT)
        )

    def cancel(self, job: str) -> None:
        """Begin to cancel a job, if there is one that runs."""
        if job in self.jobs and self.jobs[job].running:
            self.jobs[job] = replace(self.jobs[job], status="CancelRequested")

    def changeable(self, name: str) -> Endpoint:
        """The endpoint, if Azure takes a change of it now."""
        endpoint = self.endpoints.get(name)
        if endpoint is None or endpoint.state not in TO_SHIFT:
            raise BusyError(name)
        return endpoint

    def change(self, name: str, **changes: object) -> None:
        """Begin a change of an endpoint."""
        endpoint = self.changeable(name)
        self.endpoints[name] = replace(endpoint, state="Updating", **changes)

    def share(self, name: str, traffic: dict[str, int], mirror: dict[str, int]) -> None:
        """Begin sharing out the traffic; Azure refuses what has no deployment."""
        endpoint = self.changeable(name)
        if any(endpoint.deployment(each) is None for each in (*traffic, *mirror)):
            raise BusyError(name)
        self.change(name, traffic=traffic, mirror_traffic=mirror)

    def deploy(self, name: str, deployment: Deployment) -> None:
        """Begin making a deployment, or making it again."""
        endpoint = self.changeable(name)
        others = tuple(d for d in endpoint.deployments if d.name != deployment.name)
        self.endpoints[name] = replace(endpoint, deployments=(*others, deployment))

    def delete_deployment(self, name: str, deployment: str) -> None:
        """Begin deleting a deployment."""
        endpoint = self.endpoints[name]
        changed = tuple(
            replace(d, state="Deleting") if d.name == deployment else d
            for d in endpoint.deployments
        )
        self.endpoints[name] = replace(endpoint, deployments=changed)

    def delete_endpoint(self, name: str) -> None:
        """Begin deleting an endpoint with all that is behind it."""
        self.endpoints[name] = replace(self.endpoints[name], state="Deleting")

    def lose(self, name: str, deployment: str) -> None:
        """Somebody has taken all traffic away, as Azure wants it first, and deleted this."""
        endpoint = self.endpoints[name]
        self.passed.discard((name, deployment))
        self.endpoints[name] = replace(
            endpoint,
            traffic={},
            mirror_traffic={},
            deployments=tuple(d for d in endpoint.deployments if d.name != deployment),
        )

    def goes_on(self, chance: Random, pace: float, failing: float, now: datetime) -> None:
        """Each operation ends with the chance `pace`, and one in `failing` of those in vain."""
        fails = failing > 0 and chance.random() < failing
        if self.cluster and self.cluster.state not in TO_SHIFT and chance.random() < pace:
            self.cluster = replace(self.cluster, state="Failed" if fails else "Succeeded")
        for name, job in self.jobs.items():
            if job.status not in ENDED and chance.random() < pace:
                self._job_goes_on(name, job, chance, now, fails=fails)
        for endpoint in list(self.endpoints.values()):
            self._endpoint_goes_on(endpoint, chance, pace, fails=fails)

    def _job_goes_on(
        self, name: str, job: Job, chance: Random, now: datetime, *, fails: bool
    ) -> None:
        status = _end_of(job, chance, fails=fails)
        if name in self.endless and status != "Canceled":
            status = "Running"
        began = job.began or (now if status == "Running" else None)
        self.jobs[name] = replace(job, status=status, began=began)

    def _endpoint_goes_on(
        self, endpoint: Endpoint, chance: Random, pace: float, *, fails: bool
    ) -> None:
        name, state = endpoint.name, endpoint.state
        if state == "Deleting":
            if chance.random() < pace:
                del self.endpoints[name]
                self.passed = {each for each in self.passed if each[0] != name}
            return
        if state in ("Creating", "Updating") and chance.random() < pace:
            self.endpoints[name] = replace(endpoint, state="Failed" if fails else "Succeeded")
        for deployment in endpoint.deployments:
            if not deployment.settled and chance.random() < pace:
                self._deployment_goes_on(name, deployment, chance, fails=fails)

    def _deployment_goes_on(
        self, name: str, deployment: Deployment, chance: Random, *, fails: bool
    ) -> None:
        endpoint = self.endpoints[name]
        there = endpoint.deployments
        if deployment.state == "Deleting":
            left = tuple(d for d in there if d != deployment)
            self.passed.discard((name, deployment.name))
        else:
            transient = chance.random() < 0.5
            lacking = deployment.state == "Creating" and self.is_short(name, deployment)
            now = replace(
                deployment,
                state="Failed" if fails or lacking else "Succeeded",
                transient=fails and transient and not lacking,
                lacking=lacking,
                error="OutOfQuota" if lacking else "",
            )
            left = tuple(now if d == deployment else d for d in there)
        self.endpoints[name] = replace(endpoint, deployments=left)


def _end_of(job: Job, chance: Random, *, fails: bool) -> str:
    """A job goes through some states before its end."""
    if job.status == "CancelRequested":
        return "Canceled"
    if job.status in ("NotStarted", "Queued") and chance.random() < 0.3:
        return "Running" if job.status == "Queued" else "Queued"
    return "Failed" if fails else "Completed"
