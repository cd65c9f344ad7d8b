"""All checks, and which of them fail together. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from tuneops.doctor.finding import Finding

_SIGNED_IN = ("identity.resource_manager",)
_WORKSPACE = (*_SIGNED_IN, "settings.workspace", "roles.workspace")
_DOCUMENTS = ("identity.storage", "storage.containers")
_GITHUB = ("github.login",)

CHECKS: dict[str, tuple[str, ...]] = {
    "app.answers": (),
    "app.key": (),
    "app.version": (),
    "login.data": (),
    "settings.valid": (),
    "settings.secrets": (),
    "settings.page": (),
    "settings.workspace": _SIGNED_IN,
    "identity.resource_manager": (),
    "identity.storage": (),
    "identity.machine_learning": (),
    "clock.skew": (),
    "roles.workspace": (*_SIGNED_IN, "settings.workspace"),
    "roles.jobs": _WORKSPACE,
    "roles.models": _WORKSPACE,
    "roles.endpoints": _WORKSPACE,
    "roles.compute": _WORKSPACE,
    "roles.metrics": _WORKSPACE,
    "roles.autoscale": _WORKSPACE,
    "roles.region": _WORKSPACE,
    "roles.observer": _WORKSPACE,
    "storage.containers": ("identity.storage",),
    "storage.public": _DOCUMENTS,
    "storage.state": _DOCUMENTS,
    "storage.data": _DOCUMENTS,
    "storage.recovery": _DOCUMENTS,
    "queues.exists": ("identity.storage",),
    "queues.send": ("identity.storage", "queues.exists"),
    "queues.poison": ("identity.storage",),
    "queues.consumed": ("identity.storage", "queues.exists"),
    "timers.resync": _DOCUMENTS,
    "timers.sweep": _DOCUMENTS,
    "timers.summary": _DOCUMENTS,
    "github.login": (),
    "github.permissions": _GITHUB,
    "webhook.address": _GITHUB,
    "webhook.events": (*_GITHUB, "webhook.address"),
    "webhook.secret": (*_GITHUB, "webhook.address"),
    "webhook.deliveries": (*_GITHUB, "webhook.address"),
    "repository.branch": _GITHUB,
    "repository.configs": (*_GITHUB, *_DOCUMENTS, "repository.branch"),
    "repository.current": (*_GITHUB, *_DOCUMENTS, "repository.branch"),
    "events.data": _SIGNED_IN,
    "events.jobs": _WORKSPACE,
    "events.dead_letters": _SIGNED_IN,
    "compute.clusters": (*_WORKSPACE, *_DOCUMENTS, "roles.compute"),
    "quota.serving": (*_WORKSPACE, *_DOCUMENTS, "roles.region"),
    "quota.training": (*_WORKSPACE, *_DOCUMENTS, "roles.region"),
    "registry.model": (*_SIGNED_IN, *_DOCUMENTS),
    "registry.component": (*_SIGNED_IN, *_DOCUMENTS),
    "channels.delivery": _DOCUMENTS,
}
"""Each check with those on whose failure it fails as well, which is not worth telling of then."""

AREAS = tuple(dict.fromkeys(name.partition(".")[0] for name in CHECKS))
IN_THE_COMMAND = ("app", "login")
"""The areas that the command looks at itself; the others are looked at in the function app."""


def settled(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings in the order of the checks; what follows from a failure is no other one."""
    broken = [finding for finding in findings if finding.outcome == "failed"]
    order = {name: number for number, name in enumerate(CHECKS)}
    last = len(order)
    explained = (_explained(finding, broken) for finding in findings)
    return tuple(
        sorted(explained, key=lambda each: (order.get(each.check, last), each.environment or ""))
    )


def _explained(finding: Finding, broken: Iterable[Finding]) -> Finding:
    if finding.outcome not in ("failed", "warning"):
        return finding
    cause = next(_causes(finding, broken), None)
    if cause is None:
        return finding
    said = f"not known before {cause.check} is mended ({finding.what})"
    return finding.model_copy(update={"outcome": "skipped", "what": said, "mend": ""})


def _causes(finding: Finding, broken: Iterable[Finding]) -> Iterator[Finding]:
    """The failures that this one may follow from, in the same environment or in what is shared."""
    after = CHECKS.get(finding.check, ())
    for each in broken:
        same = finding.environment is None or each.environment in (None, finding.environment)
        if each.check in after and each.check != finding.check and same:
            yield each
