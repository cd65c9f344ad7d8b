"""Whether the clock is right. Pure."""

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from tuneops.doctor.finding import Finding, failed, ok, skipped, warning

NOTICED = timedelta(seconds=30)
HARMFUL = timedelta(minutes=1)
"""By as much an App's signature may be ahead before GitHub refuses it."""
_MEND = "let the machine's clock be set by NTP (timedatectl set-ntp true), or restart the app"


def judge(date: str, now: datetime, where: str) -> Finding:
    """How far our clock is from the header `Date` of an answer that came now."""
    try:
        difference = now - parsedate_to_datetime(date)
    except (TypeError, ValueError):
        return skipped("clock.skew", "the answer does not say the time", where)
    off = abs(difference)
    direction = "ahead of" if difference > timedelta(0) else "behind"
    said = f"{off.total_seconds():.0f} s {direction} Azure's"
    if off > HARMFUL:
        return failed("clock.skew", f"the clock is {said}: signatures are refused", _MEND, where)
    if off > NOTICED:
        return warning("clock.skew", f"the clock is {said}", _MEND, where)
    return ok("clock.skew", "the clock is right", where)
