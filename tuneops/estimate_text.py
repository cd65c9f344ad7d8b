"""Forecasts and what came, in words. Pure."""

from collections.abc import Iterator

from tuneops.estimates import Actuals, Forecast, Span

_UNITS = ((7200.0, 3600.0, "h"), (120.0, 60.0, "min"), (0.0, 1.0, "s"))
"""From how many seconds on a unit is used, and its length."""


def facts(forecast: Forecast) -> Iterator[tuple[str, str]]:
    """The forecast, a line for each number; what is not known says why."""
    for name, foretold in _foretold(forecast).items():
        if foretold:
            yield name, foretold
    if forecast.trains and forecast.seconds and forecast.cost is None:
        yield "cost of the training", "not known: the policy has no price of this size"
    if forecast.basis:
        yield "by", forecast.basis
    if forecast.unknown:
        yield "time and cost", f"not foretold: {forecast.unknown}"


def beside(forecast: Forecast | None, came: Actuals) -> Iterator[tuple[str, str, str]]:
    """What was foretold and what came, number by number."""
    foretold, actual = _foretold(forecast or Forecast()), _came(came)
    for name in foretold:
        if foretold[name] or actual[name]:
            yield name, foretold[name], actual[name]


def duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    length, unit = _unit(seconds)
    return f"{number(seconds / length)} {unit}"


def spanned(span: Span) -> str:
    """A range of times: 2.1 to 7 h, likely 3.8."""
    length, unit = _unit(span.likely)
    return _range(span.times(1 / length), unit)


def number(value: float) -> str:
    """A number with about two digits that count."""
    if value >= 10 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.1f}".removesuffix(".0") if value >= 1 else f"{value:.2g}"


def _foretold(forecast: Forecast) -> dict[str, str]:
    cost = ""
    if forecast.cost and forecast.price is not None:
        cost = f"{_range(forecast.cost, forecast.currency)}; a node's hour is {forecast.price:,.2f}"
    return {
        "training rows": _count(forecast.rows),
        "tokens in training": _count(forecast.tokens),
        "steps": _count(forecast.steps),
        "training": spanned(forecast.seconds) if forecast.seconds else "",
        "GPU hours": _range(forecast.gpu_hours, "") if forecast.gpu_hours else "",
        "cost of the training": cost,
        "time to Live": spanned(forecast.live_seconds) if forecast.live_seconds else "",
    }


def _came(came: Actuals) -> dict[str, str]:
    cost = "" if came.cost is None else f"{number(came.cost)} {came.currency}"
    return {
        "training rows": _count(came.rows),
        "tokens in training": _count(came.tokens),
        "steps": _count(came.steps),
        "training": "" if came.seconds is None else duration(came.seconds),
        "GPU hours": "" if came.gpu_hours is None else number(came.gpu_hours),
        "cost of the training": cost,
        "time to Live": "" if came.live_seconds is None else duration(came.live_seconds),
    }


def _count(value: int | None) -> str:
    return f"{value:,}" if value else ""


def _range(span: Span, unit: str) -> str:
    """Low to high and what is likely; one number where all three look alike."""
    low, likely, high = map(number, (span.low, span.likely, span.high))
    if low == high:
        return f"{likely} {unit}".strip()
    return f"{f'{low} to {high} {unit}'.strip()}, likely {likely}"


def _unit(seconds: float) -> tuple[float, str]:
    return next((length, unit) for least, length, unit in _UNITS if seconds >= least)
