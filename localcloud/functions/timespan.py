"""Durations as .NET's TimeSpan writes them: ``hh:mm:ss`` or ``d.hh:mm:ss``."""

import re
from datetime import timedelta

_TIMESPAN = re.compile(
    r"(?:(?P<days>\d{1,5})\.)?(?P<hours>\d{1,2}):(?P<minutes>\d{1,2}):(?P<seconds>\d{1,2}"
    r"(?:\.\d{1,7})?)",
    re.ASCII,
)


def parse_timespan(text: str) -> timedelta:
    """The duration.

    Raises:
        ValueError: the text is no TimeSpan.
    """
    match = _TIMESPAN.fullmatch(text.strip())
    if not match or int(match["hours"]) > 23:
        raise ValueError(f"{text!r} is not a TimeSpan (hh:mm:ss or d.hh:mm:ss)")
    if int(match["minutes"]) > 59 or float(match["seconds"]) >= 60:
        raise ValueError(f"{text!r} has more than 59 minutes or seconds")
    return timedelta(
        days=int(match["days"] or 0),
        hours=int(match["hours"]),
        minutes=int(match["minutes"]),
        seconds=float(match["seconds"]),
    )
