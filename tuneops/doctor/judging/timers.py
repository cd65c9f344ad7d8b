"""Whether the timers run. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tuneops.doctor.finding import Finding, failed, ok, skipped
from tuneops.doctor.judging.site import Site
from tuneops.ticks import Tick

MISSED = 3
"""So many ticks may be missed: an app that scales to nothing wakes up late."""


@dataclass(frozen=True)
class Timer:
    """A timer, the setting with its schedule, and how often it runs without one."""

    name: str
    setting: str
    usual: timedelta
    least: timedelta


TIMERS = (
    Timer("resync", "TUNEOPS_RESYNC_SCHEDULE", timedelta(minutes=5), timedelta(minutes=15)),
    Timer("sweep", "TUNEOPS_SWEEP_SCHEDULE", timedelta(hours=1), timedelta(hours=1)),
    Timer("summary", "TUNEOPS_SUMMARY_SCHEDULE", timedelta(days=1), timedelta(hours=1)),
)


def judge(
    timer: Timer,
    tick: Tick | None,
    since: datetime | None,
    environment: Mapping[str, str],
    now: datetime,
) -> Finding:
    """Whether a timer ran when it should have; `since` is when TuneOps did something at the latest.

    How often it is to run is seen from its last two ticks.
    """
    check, site = f"timers.{timer.name}", Site.of(environment)
    if switch := _switched_off(timer.name, environment):
        return failed(check, "the function is disabled", site.setting(switch, "false"), switch)
    mend = (
        f"see that the function {timer.name} is there and runs (az functionapp function show "
        f"--name {site.name} --resource-group {site.resource_group} --function-name {timer.name}), "
        f"and that {timer.setting}, if it is set, is six fields such as '0 */5 * * * *'"
    )
    allowed = max(MISSED * _period(timer, tick), timer.least)
    if tick is None:
        late = since is not None and now - since > allowed
        return failed(check, "has never run", mend) if late else skipped(check, "has not run yet")
    said = f"ran last at {tick.at:%Y-%m-%d %H:%M:%S} UTC"
    return failed(check, said, mend) if now - tick.at > allowed else ok(check, said)


def _period(timer: Timer, tick: Tick | None) -> timedelta:
    if tick is None or tick.before is None:
        return timer.usual
    return tick.at - tick.before


def _switched_off(name: str, environment: Mapping[str, str]) -> str:
    """The setting that disables a function, if one does; on Linux its dots may be underscores."""
    for setting in (f"AzureWebJobs.{name}.Disabled", f"AzureWebJobs__{name}__Disabled"):
        if environment.get(setting, "").lower() in ("true", "1"):
            return setting
    return ""
