"""A project's status, shortened to what fits on a card. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from tuneops.cost.machines import Machines, most
from tuneops.difference import Answer
from tuneops.evaluation.directions import greater_is_better
from tuneops.names import environment_of
from tuneops.notify.messages import shown_metrics
from tuneops.overview.document import Card, Figure, Served, Share
from tuneops.phase import Phase
from tuneops.prices import Prices
from tuneops.scrub import scrub
from tuneops.status import ProjectStatus, ReleaseStatus

MAX_FIGURES = 3
MAX_REASON = 400
_DEPLOYED = (Phase.DEPLOYING, Phase.TESTING, Phase.SHIFTING)


def card(project: ProjectStatus, prices: Prices | None) -> Card:
    """The project's card; `prices` are its environment's."""
    newest, live = project.release, project.live
    made = Card(
        name=project.name,
        environment=environment_of(project.name),
        phase=project.phase,
        reason=cut(project.reason),
        pin=project.pin.release if project.pin else None,
        held=bool(project.held),
        preview=project.preview.number if project.preview else None,
        preview_until=project.preview.until if project.preview else None,
    )
    if newest is None:
        return made
    retired = newest.phase == Phase.RETIRED
    both = [each for each in (newest, live) if each]
    serving = live if live and not retired else None
    return made.replace(
        since=_since(newest),
        release=newest.number,
        releases=newest.number,
        commit=newest.commit,
        data=cut(newest.source),
        live=_served(serving) if serving else None,
        figures=() if live == newest else _figures(newest, _values(live)),
        endpoint="" if retired else newest.endpoint,
        traffic=_traffic(newest, serving),
        hourly=_hourly(newest, serving, prices),
        currency=prices.currency if prices else "",
        done=_done(newest),
        ends=_ends(newest),
        approval=newest.approval is not None and newest.approval.is_open,
        drifted=any(each.drift and each.drift.answer != Answer.HEALING for each in both),
        troubled=any(each.trouble and each.trouble.told for each in both),
        stalled=any(each.waiting and each.waiting.told for each in both),
    )


def cut(text: str, length: int = MAX_REASON) -> str:
    """A text that fits on a card, without what looks like a secret."""
    plain = scrub(text)
    return plain if len(plain) <= length else f"{plain[: length - 1]}…"


def _served(live: ReleaseStatus) -> Served:
    before = {c.metric: c.live for c in live.checks if c.live is not None}
    return Served(
        release=live.number,
        model=live.model,
        base_model=live.config.model.name,
        since=_since(live),
        figures=_figures(live, before),
        deployment=live.deployment or "",
        instances=str(_machines(live)),
    )


def _figures(release: ReleaseStatus, before: Mapping[str, float]) -> tuple[Figure, ...]:
    values = _values(release)
    names = shown_metrics(values)[:MAX_FIGURES]
    return tuple(_figure(name, values[name], before.get(name)) for name in names)


def _figure(name: str, value: float, before: float | None) -> Figure:
    rises = greater_is_better(name)
    told = before is not None and before != value and rises is not None
    better = (value > before) == rises if told and before is not None else None
    return Figure(name=cut(name, 40), value=value, before=before, better=better)


def _values(release: ReleaseStatus | None) -> Mapping[str, float]:
    return release.metrics.values if release and release.metrics else {}


def _traffic(newest: ReleaseStatus, live: ReleaseStatus | None) -> tuple[Share, ...]:
    """Who gets how much, as far as the documents say."""
    if live is None:
        return ()
    own = newest.share if newest.number != live.number else 0
    shares = (Share(release=live.number, percent=100 - own),)
    return (*shares, Share(release=newest.number, percent=own)) if own else shares


def _hourly(
    newest: ReleaseStatus, live: ReleaseStatus | None, prices: Prices | None
) -> float | None:
    """What the deployments cost that the project is to have; what is kept beside them is left out.

    Where one has no price there is no sum.
    """
    comes = newest if newest.phase in _DEPLOYED and newest != live else None
    costs = [_machines(each).hourly(prices) for each in (live, comes) if each]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if costs and len(known) == len(costs) else None


def _machines(release: ReleaseStatus) -> Machines:
    return Machines(size=release.instance_type, count=most(release.config))


def _since(release: ReleaseStatus) -> datetime | None:
    """When the release came to its phase; it may have told of more while in it."""
    came = None
    for entry in reversed(release.history):
        if entry.phase != release.phase:
            break
        came = entry.at
    return came


def _done(release: ReleaseStatus) -> float | None:
    """The part of the training that is done, in whole percent, while it lasts."""
    share = release.progress.share if release.progress else None
    return round(share, 2) if share is not None and release.phase == Phase.TRAINING else None


def _ends(release: ReleaseStatus) -> datetime | None:
    """When the training is likely to end, while it lasts: by its own pace, before that as foretold.

    A minute more or less makes no other card.
    """
    if release.phase != Phase.TRAINING:
        return None
    since, forecast, progress = _since(release), release.forecast, release.progress
    ends = progress.ends_at if progress else None
    if ends is None and since and forecast and forecast.seconds:
        ends = since + timedelta(seconds=forecast.seconds.likely)
    return ends.replace(second=0, microsecond=0) if ends else None
