"""What there is to look at, each by itself."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tuneops.azureml.workspace import Workspace
from tuneops.doctor.finding import Finding
from tuneops.doctor.looking import (
    channels,
    events,
    github,
    identity,
    machines,
    queues,
    registry,
    roles,
    settings,
    storage,
    timers,
)
from tuneops.doctor.patient import Patient
from tuneops.services import Services


@dataclass(frozen=True)
class Task:
    """Something to look at by itself, and the checks that it answers."""

    checks: tuple[str, ...]
    look: Callable[[], Iterable[Finding]]
    environment: str | None = None


def tasks_of(patient: Patient) -> Iterator[Task]:
    """What there is to look at: what is shared, then each source with its workspace."""
    services = patient.services
    yield Task(
        ("settings.valid", "settings.secrets", "settings.page"), lambda: settings.look(patient)
    )
    yield Task(
        ("identity.resource_manager", "identity.storage", "identity.machine_learning"),
        lambda: identity.look(patient),
    )
    yield Task(("clock.skew",), lambda: identity.look_at_clock(patient))
    yield Task(
        (
            "storage.containers",
            "storage.public",
            "storage.state",
            "storage.data",
            "storage.recovery",
        ),
        lambda: storage.look(patient),
    )
    yield Task(
        ("queues.exists", "queues.send", "queues.poison", "queues.consumed"),
        lambda: queues.look(patient),
    )
    yield Task(("timers.resync", "timers.sweep", "timers.summary"), lambda: timers.look(patient))
    yield Task(("channels.delivery",), lambda: channels.look(patient))
    of_sources = [services.of(each.environment) for each in services.settings.config_sources]
    first = of_sources[0].workspace
    yield Task(("events.data", "events.dead_letters"), lambda: events.look_at_data(patient, first))
    for each in of_sources:
        yield from _of_source(patient, each)
    for each, environment in _distinct(of_sources, lambda of: of.source.repository):
        yield from _of_repository(patient, each, environment)
    for each, environment in _distinct(of_sources, lambda of: of.workspace.id):
        yield from _of_workspace(patient, each.workspace, environment)


def _distinct(
    of_sources: Iterable[Services], name: Callable[[Services], str]
) -> Iterator[tuple[Services, str | None]]:
    """The first that has each name, and its environment, None for what several of them share."""
    sharing: dict[str, list[Services]] = {}
    for each in of_sources:
        sharing.setdefault(name(each).lower(), []).append(each)
    for same in sharing.values():
        yield same[0], same[0].environment if len(same) == 1 else None


def _of_repository(patient: Patient, services: Services, environment: str | None) -> Iterator[Task]:
    yield Task(
        ("github.login", "github.permissions"),
        lambda: github.look(patient, services),
        environment,
    )
    yield Task(
        ("webhook.address", "webhook.events", "webhook.secret", "webhook.deliveries"),
        lambda: github.look_at_webhook(patient, services),
        environment,
    )


def _of_source(patient: Patient, services: Services) -> Iterator[Task]:
    environment, workspace = services.source.environment, services.workspace
    yield Task(
        ("repository.branch", "repository.configs", "repository.current"),
        lambda: github.look_at_branch(patient, services),
        environment,
    )
    yield Task(
        ("compute.clusters", "quota.serving", "quota.training"),
        lambda: machines.look(patient, workspace, environment),
        environment,
    )
    yield Task(
        ("registry.model", "registry.component"),
        lambda: registry.look(patient, workspace, environment),
        environment,
    )


def _of_workspace(
    patient: Patient, workspace: Workspace, environment: str | None
) -> Iterator[Task]:
    yield Task(
        ("settings.workspace",),
        lambda: settings.look_at_workspace(patient, workspace),
        environment,
    )
    yield Task(
        (
            "roles.workspace",
            "roles.jobs",
            "roles.models",
            "roles.endpoints",
            "roles.compute",
            "roles.metrics",
            "roles.autoscale",
            "roles.region",
            "roles.observer",
        ),
        lambda: roles.look(patient, workspace, environment),
        environment,
    )
    yield Task(("events.jobs",), lambda: events.look_at_jobs(patient, workspace), environment)
