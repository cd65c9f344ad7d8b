"""MLflow's search filters, as far as Azure supports them: comparisons joined by AND."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from operator import eq, ge, gt, le, lt, ne

_TERM = re.compile(
    r"""\s*
    (?:(?P<kind>attributes?|attr|run|metrics?|params?|parameters?|tags?)\.)?
    (?P<key>"[^"]+"|`[^`]+`|[\w./-]+)\s*
    (?P<operator>!=|>=|<=|=|>|<|\bI?LIKE\b)\s*
    (?P<value>'[^']*'|"[^"]*"|-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)
    \s*(?P<rest>AND\b|$)""",
    re.VERBOSE | re.IGNORECASE,
)
_NUMERIC = {"=": eq, "!=": ne, ">": gt, ">=": ge, "<": lt, "<=": le}
_KINDS = {"m": "metrics", "p": "params", "t": "tags", "a": "attributes", "r": "attributes"}


class FilterError(Exception):
    """The filter cannot be read."""


@dataclass(frozen=True)
class Comparison:
    """One comparison: `kind` is metrics, params, tags or attributes."""

    kind: str
    key: str
    operator: str
    value: str | float

    def holds(self, actual: object) -> bool:
        """Whether it holds for a value; never for one that is absent."""
        if actual is None:
            return False
        if isinstance(self.value, float):
            return _is_number(actual) and _NUMERIC[self.operator](float(str(actual)), self.value)
        return _TEXT[self.operator](str(actual), self.value)


def parse_filter(text: str) -> list[Comparison]:
    """The comparisons of a filter, all of which have to hold.

    Raises:
        FilterError: the filter is not of that form.
    """
    comparisons: list[Comparison] = []
    position = 0
    expects_more = bool(text.strip())
    while expects_more:
        match = _TERM.match(text, position)
        if match is None:
            raise FilterError(f"Invalid filter near: {text[position : position + 60]!r}")
        comparisons.append(_comparison(match))
        position = match.end()
        expects_more = bool(match["rest"])
    if text[position:].strip():
        raise FilterError(f"Invalid filter near: {text[position : position + 60]!r}")
    return comparisons


def _comparison(match: re.Match[str]) -> Comparison:
    kind = _KINDS[(match["kind"] or "attributes")[0].lower()]
    operator = match["operator"].upper()
    raw = match["value"]
    value: str | float = raw[1:-1] if raw[0] in "'\"" else float(raw)
    if isinstance(value, float) and "LIKE" in operator:
        raise FilterError(f"{operator} needs a quoted pattern, not {raw}")
    if isinstance(value, str) and operator not in _TEXT:
        raise FilterError(f"{operator} cannot compare text")
    return Comparison(kind, match["key"].strip('"`'), operator, value)


def _like(actual: str, pattern: str) -> bool:
    escaped = re.sub(r"([\[*?])", r"[\1]", pattern)
    return fnmatchcase(actual, escaped.replace("%", "*").replace("_", "?"))


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


_TEXT: dict[str, Callable[[str, str], bool]] = {
    "=": eq,
    "!=": ne,
    "LIKE": _like,
    "ILIKE": lambda actual, pattern: _like(actual.lower(), pattern.lower()),
}
