"""Route templates of HTTP triggers, in ASP.NET Core's syntax, as regular expressions."""

import re
from collections.abc import Callable
from dataclasses import dataclass

# https://learn.microsoft.com/aspnet/core/fundamentals/routing#route-constraints
_CONSTRAINTS: dict[str, str] = {
    "alpha": "[A-Za-z]+",
    "bool": "true|false",
    "decimal": r"-?\d+(?:\.\d+)?",
    "double": r"-?\d+(?:\.\d+)?",
    "float": r"-?\d+(?:\.\d+)?",
    "guid": "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    "int": r"-?\d{1,10}",
    "long": r"-?\d{1,19}",
}
_LENGTHS: dict[str, Callable[..., str]] = {
    "length": lambda low, high=None: f"[^/]{{{low},{high or low}}}",
    "maxlength": lambda high: f"[^/]{{1,{high}}}",
    "minlength": lambda low: f"[^/]{{{low},}}",
}
_PARAMETER = re.compile(
    r"\{(?P<rest>\*{0,2})(?P<name>[A-Za-z_]\w*)"
    r"(?::(?P<constraint>[a-z]+)(?:\((?P<arguments>[\d,\s]*)\))?)?(?P<optional>\?)?\}",
    re.ASCII,
)


class RouteError(ValueError):
    """A route template that the host can't serve."""


@dataclass(frozen=True)
class Route:
    """A compiled template. Of several that match a path, the one of the lowest rank is meant."""

    template: str
    pattern: re.Pattern[str]
    rank: tuple[int, ...]

    def match(self, path: str) -> dict[str, str] | None:
        """The parameters in the path (without a leading slash), or None if it is another route."""
        found = self.pattern.fullmatch(path)
        if not found:
            return None
        return {name: value for name, value in found.groupdict().items() if value}


def compile_route(template: str) -> Route:
    """Compile ``items/{id:int}/{*rest}``.

    Supported are parameters anywhere, the constraints above, length limits, a catch-all at the end
    and an optional parameter as the last segment.

    Raises:
        RouteError: it uses something else.
    """
    segments = [segment for segment in template.strip("/").split("/") if segment]
    pattern, rank = "", []
    for position, segment in enumerate(segments):
        last = position == len(segments) - 1
        part, specificity, may_be_absent = _compile_segment(template, segment, last)
        slash = "/" if position else ""
        pattern += f"(?:{slash}{part})?" if may_be_absent else f"{slash}{part}"
        rank.append(specificity)
    try:
        compiled = re.compile(f"{pattern}/?", re.IGNORECASE | re.ASCII)
    except (re.error, OverflowError) as error:
        raise RouteError(f"route {template!r}: {error}") from None
    return Route(template, compiled, tuple(rank))


def _compile_segment(template: str, segment: str, last: bool) -> tuple[str, int, bool]:
    """The segment's expression, its rank (0 literal .. 3 catch-all), and whether it may lack."""
    parts: list[str] = []
    rank, may_be_absent, position = 0, False, 0
    for found in _PARAMETER.finditer(segment):
        parts.append(_literal(template, segment[position : found.start()]))
        position = found.end()
        whole = found.group() == segment
        if (found["rest"] or found["optional"]) and not (last and whole):
            raise RouteError(f"route {template!r}: {found.group()} must be the last segment")
        may_be_absent = bool(found["rest"] or found["optional"])
        if found["rest"] and found["constraint"]:
            raise RouteError(f"route {template!r}: {found.group()} can't have a constraint")
        rank = 3 if found["rest"] else max(rank, 1 if found["constraint"] else 2)
        value = ".+" if found["rest"] else _value_pattern(template, found)
        parts.append(f"(?P<{found['name']}>{value})")
    parts.append(_literal(template, segment[position:]))
    return "".join(parts), rank, may_be_absent


def _literal(template: str, text: str) -> str:
    if "{" in text or "}" in text:
        raise RouteError(f"route {template!r}: {text!r} is not supported")
    return re.escape(text)


def _value_pattern(template: str, parameter: re.Match[str]) -> str:
    name, arguments = parameter["constraint"], parameter["arguments"]
    if name is None:
        return "[^/]+"
    if name in _CONSTRAINTS and arguments is None:
        return _CONSTRAINTS[name]
    if name in _LENGTHS and arguments:
        try:
            return _LENGTHS[name](*(int(number) for number in arguments.split(",")))
        except (TypeError, ValueError):
            pass
    raise RouteError(f"route {template!r}: {parameter.group()} has an unsupported constraint")
