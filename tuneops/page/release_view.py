"""All that a release's page shows, made from documents. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from markupsafe import Markup

from tuneops.cost.machines import Machines, most
from tuneops.data.report import Reason
from tuneops.estimate_text import beside
from tuneops.estimates import Actuals
from tuneops.evaluation.checks import Check
from tuneops.outcome import Change
from tuneops.page import timeline, training_view
from tuneops.page.message_list import Deliveries, Told, told
from tuneops.page.testing_view import Tests, tests
from tuneops.page.texts import line, links
from tuneops.page.traffic_view import Traffic, traffic
from tuneops.phase import Phase
from tuneops.policy import Policy
from tuneops.project import Project
from tuneops.release import Release

MAX_CHECKS = 60
MAX_REASONS = 20


@dataclass(frozen=True)
class Around:
    """What stands around a release: its project and the release that it is compared with.

    `policy` has the prices, `repository` is the address of its repository on the web, empty if
    there is none, `studio` are pages about it. `reasons` are those that rows were refused for,
    `deliveries` how far messages have come that the release itself does not tell.
    """

    project: Project
    before: Release | None = None
    policy: Policy | None = None
    repository: str = ""
    studio: Mapping[str, str] = field(default_factory=dict)
    reasons: Sequence[Reason] = ()
    deliveries: Deliveries = field(default_factory=dict)


@dataclass(frozen=True)
class ReleaseView:
    """A release's page. `standing` says why it is where it is, `told` is what people were told."""

    release: Release
    before: Release | None
    marks: tuple[str, ...]
    standing: str
    notices: Mapping[str, str]
    commit_url: str
    config_url: str
    links: Mapping[str, str]
    stages: tuple[timeline.Stage, ...]
    going: training_view.Going | None
    curves: Markup | None
    figures: tuple[training_view.Figure, ...]
    checks: tuple[Check, ...]
    changes: tuple[Change, ...]
    inputs: tuple[training_view.Input, ...]
    tests: Tests
    traffic: Traffic
    estimates: tuple[tuple[str, str, str], ...]
    estimated_by: str
    reasons: tuple[tuple[str, int, str], ...]
    serves: str
    cost: str
    told: tuple[Told, ...]


def release_view(release: Release, around: Around, now: datetime) -> ReleaseView:
    """The page of a release."""
    forecast, web = release.forecast, around.repository
    commit, path = quote(release.commit), quote(release.path)
    return ReleaseView(
        release=release,
        before=around.before,
        marks=tuple(_marks(release, around.project)),
        standing=line(release.why),
        notices=dict(_notices(release)),
        commit_url=f"{web}/commit/{commit}" if web and commit else "",
        config_url=f"{web}/blob/{commit}/{path}" if web and commit and path else "",
        links=links({**_linked(release), **around.studio}),
        stages=timeline.stages(release, now),
        going=training_view.going(release, now),
        curves=training_view.curves(release),
        figures=training_view.figures(
            release.metrics, around.before.metrics if around.before else None
        ),
        checks=tuple(c.replace(text=line(c.text)) for c in release.checks[:MAX_CHECKS]),
        changes=training_view.changes(release, around.before),
        inputs=training_view.inputs(release),
        tests=tests(release),
        traffic=traffic(release, now),
        estimates=tuple(beside(forecast, release.actuals or Actuals())),
        estimated_by=line(forecast.basis or forecast.unknown) if forecast else "",
        reasons=tuple(
            (line(each.kind), each.rows, line(next(iter(each.examples), "")))
            for each in around.reasons[:MAX_REASONS]
        ),
        serves=_serves(release),
        cost=_cost(release, around.policy),
        told=told(release, around.deliveries),
    )


def _marks(release: Release, project: Project) -> Iterator[str]:
    if project.live == release.number:
        yield "live"
    if project.current == release.number:
        yield "newest"
    if project.pin and project.pin.release == release.number:
        yield "pinned"
    if release.rejected:
        yield "rejected"


def _notices(release: Release) -> Iterator[tuple[str, str]]:
    """What keeps the release from where it should be, by what that is called."""
    if release.trouble:
        tries = f" ({release.trouble.count} tries)" if release.trouble.count > 1 else ""
        yield "Tried again", line(release.trouble.message) + tries
    if release.waiting and release.waiting.told:
        yield "Takes long", f"since {release.waiting.since:%d %b %H:%M} UTC"
    if release.rejected:
        yield "Rejected", line(release.rejected)
    if release.drift:
        differences = "; ".join(map(str, release.drift.differences))
        yield "Drifted", f"{line(differences)}: {release.drift.answer}"
    for each in release.provisioning.lacking:
        yield f"No {line(each.instance_type)}", line(each.reason)


def _linked(release: Release) -> dict[str, str]:
    """The newest of each page that its history leads to."""
    return {name: url for entry in release.history for name, url in entry.links.items()}


def _serves(release: Release) -> str:
    """The machines of the deployment, once there may be one."""
    if release.training is None or release.entered(Phase.DEPLOYING) is None:
        return ""
    return f"{release.deployment.instance_count} x {release.instance_type}"


def _cost(release: Release, policy: Policy | None) -> str:
    """What the deployment costs in an hour while the release is live."""
    prices = policy.prices if policy else None
    if release.phase != Phase.LIVE or prices is None:
        return ""
    machines = Machines(size=release.instance_type, count=most(release.config))
    hourly = machines.hourly(prices)
    return "no price" if hourly is None else f"{hourly:,.2f} {prices.currency} an hour at most"
