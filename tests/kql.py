"""Queries of Application Insights, checked as far as one can without it. For tests.

Tables and columns are those of Microsoft's reference; operators and functions those that we use.
What a query makes itself counts as a column from there on.
"""

import re
from collections.abc import Iterator

_EVERYWHERE = {"timestamp", "itemCount", "operation_Id", "operation_Name", "cloud_RoleName"}
_EVERYWHERE |= {"customDimensions", "cloud_RoleInstance", "itemType"}
TABLES = {
    "customMetrics": {"name", "value", "valueCount", "valueSum", "valueMin", "valueMax"},
    "traces": {"message", "severityLevel"},
    "requests": {"name", "url", "success", "resultCode", "duration", "id"},
    "exceptions": {"type", "outerMessage", "problemId", "method", "severityLevel"},
    "dependencies": {"name", "target", "type", "success", "resultCode", "duration", "data"},
}
OPERATORS = {"where", "extend", "project", "summarize", "order", "take", "join", "top", "render"}
FUNCTIONS = {"ago", "arg_max", "avg", "bin", "count", "countif", "iff", "max", "min"}
FUNCTIONS |= {"parse_json", "percentile", "round", "strcat", "substring", "sum", "sumif"}
FUNCTIONS |= {"coalesce", "dcount", "isempty", "isnotempty", "take_any", "todatetime", "todouble"}
FUNCTIONS |= {"toint", "tolong", "tostring"}
_WORDS = {"and", "or", "in", "has", "contains", "startswith", "endswith", "between", "not"}
_WORDS |= {"true", "false"}
_WORDS |= {"asc", "desc", "by", "on", "kind", "leftouter"}
_TOKEN = re.compile(
    r"'[^']*'|\"[^\"]*\"|\{[\w:]+\}|\d+(?:\.\d+)?[smhd]?\b|!?[A-Za-z_]\w*"
    r"|[=!<>]=|=~|[-+*/=<>(),.\[\]|!]"
)
_CLOSED_BY = {"(": ")", "[": "]"}


class QueryError(Exception):
    """What is wrong with a query."""


def check(query: str) -> None:
    """See that a query reads a table that there is, by columns that it has.

    Raises:
        QueryError: it does not.
    """
    _columns(_tokens(query))


def strings(query: str) -> set[str]:
    """All texts in a query."""
    return {each[1:-1] for each in _tokens(query) if each[0] in "'\""}


def columns(query: str) -> set[str]:
    """The columns of what a query gives."""
    return _columns(_tokens(query))


def _tokens(query: str) -> list[str]:
    text = re.sub(r"^\s*//.*$", "", query, flags=re.MULTILINE)
    found = _TOKEN.findall(text)
    rest = _TOKEN.sub("", text).strip()
    if rest:
        raise QueryError(f"{rest[:20]!r} is not understood")
    return found


def _columns(tokens: list[str]) -> set[str]:
    first, *stages = _split(tokens, "|")
    tables = [name for name in first[1:] if name != ","] if first[:1] == ["union"] else first
    if not tables or not TABLES.keys() >= set(tables) or (len(tables) > 1 and first is tables):
        raise QueryError(f"there is no table {' '.join(tables)}")
    known = _EVERYWHERE.union(*(TABLES[name] for name in tables))
    for stage in stages:
        if not stage or stage[0] not in OPERATORS:
            raise QueryError(f"there is no operator {' '.join(stage[:1])}")
        known = _after(stage[0], stage[1:], known)
    return known


def _after(operator: str, tokens: list[str], known: set[str]) -> set[str]:
    if operator == "join":
        begin, end = tokens.index("("), len(tokens) - tokens[::-1].index(")")
        other = _columns(tokens[begin + 1 : end - 1])
        _use(tokens[end:], known & other)
        return known | other
    place = tokens.index("by") if "by" in tokens else len(tokens)
    made: set[str] = set()
    for item in (*_split(tokens[:place], ","), *_split(tokens[place + 1 :], ",")):
        assigned = len(item) > 2 and item[1] == "="
        value = item[2:] if assigned else item
        _use(value, known | made if operator == "extend" else known)
        made |= {item[0]} if assigned else set(_names(value))
    if operator in ("project", "summarize"):
        return made
    return known | made if operator == "extend" else known


def _use(tokens: list[str], known: set[str]) -> None:
    """See that all names are columns, and all that is called a function."""
    for place, token in enumerate(tokens):
        following = tokens[place + 1] if place + 1 < len(tokens) else ""
        name = token.removeprefix("!")
        if not re.fullmatch(r"[A-Za-z_]\w*", name) or name in _WORDS or following == "=":
            continue
        if tokens[place - 1 : place] == ["."]:
            continue
        if following == "(":
            if name not in FUNCTIONS:
                raise QueryError(f"there is no function {name}")
        elif name not in known:
            raise QueryError(f"there is no column {name}")


def _names(tokens: list[str]) -> Iterator[str]:
    for place, token in enumerate(tokens):
        called = tokens[place + 1 : place + 2] == ["("]
        of_another = tokens[place - 1 : place] == ["."]
        is_name = re.fullmatch(r"[A-Za-z_]\w*", token) and token not in _WORDS
        if is_name and not called and not of_another:
            yield token


def _split(tokens: list[str], separator: str) -> list[list[str]]:
    """The parts between separators that stand in no bracket."""
    parts: list[list[str]] = [[]]
    opened: list[str] = []
    for token in tokens:
        if token in _CLOSED_BY:
            opened.append(_CLOSED_BY[token])
        elif token in _CLOSED_BY.values() and (not opened or opened.pop() != token):
            raise QueryError(f"{token} closes nothing")
        if token == separator and not opened:
            parts.append([])
        else:
            parts[-1].append(token)
    if opened:
        raise QueryError(f"{opened[-1]} is missing")
    return parts
