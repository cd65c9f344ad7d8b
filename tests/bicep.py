"""What Bicep files say, as far as a parser tells: there is no compiler here. For tests."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pycep

INFRA = Path(__file__).parents[1] / "infra"
_WORD = re.compile(r"(?<![\w.?:'])(?<!\.\?)[A-Za-z_]\w*(?![\w'])(?!\s*\()")
_FUNCTION = re.compile(r"(?<![\w.])([A-Za-z_]\w*)\(")
_KEYWORDS = frozenset(["true", "false", "null", "if", "for", "in", "existing"])
_LAMBDA = re.compile(r"\b(\w+) =>")
_LOOP = re.compile(r"\[\s*for (?:\((\w+), (\w+)\)|(\w+)) in")
_KEY = re.compile(r"(?m)(?:^\s*|[{,]\s*)(?:[A-Za-z_]\w*)(?=:(?!:))")


@cache
def _parser() -> pycep.BicepParser:
    return pycep.BicepParser()


@dataclass(frozen=True)
class Resource:
    """A resource that a file declares, with its text."""

    symbol: str
    type: str
    version: str
    existing: bool
    text: str


@dataclass(frozen=True)
class Module:
    """A module that a file calls, with its text."""

    symbol: str
    path: Path
    arguments: frozenset[str]
    text: str


class Bicep:
    """One file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text()
        self.tree: dict[str, Any] = _parser().parse(text=self.text)

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """Its parameters by name."""
        return dict(self.tree.get("parameters", {}))

    @property
    def required(self) -> set[str]:
        """Those that have to be given."""
        given = (name for name, said in self.parameters.items() if said["default"] is None)
        return {name for name in given if not re.search(rf"(?m)^param {name} \S+ =", self.text)}

    @property
    def outputs(self) -> dict[str, Any]:
        """Its outputs by name."""
        return dict(self.tree.get("outputs", {}))

    @property
    def resources(self) -> list[Resource]:
        """What it declares or refers to."""
        found = self.tree.get("resources", {})
        return [
            Resource(name, r["type"], r["api_version"], r["existing"], self._declaration(name))
            for name, r in found.items()
        ]

    @property
    def modules(self) -> list[Module]:
        """What it calls."""
        return [self._module(name, m) for name, m in self.tree.get("modules", {}).items()]

    @property
    def symbols(self) -> set[str]:
        """All names that it declares."""
        kinds = ("parameters", "variables", "resources", "modules")
        return {name for kind in kinds for name in self.tree.get(kind, {})}

    def unknown_names(self) -> set[str]:
        """Names in expressions that nothing declares."""
        code = _code(self.text)
        own = {name for match in _LOOP.findall(code) for name in match} | {*_LAMBDA.findall(code)}
        words = {word for line in _expressions(code) for word in _WORD.findall(line)}
        return words - self.symbols - own - _KEYWORDS

    def unused_names(self) -> set[str]:
        """Parameters and variables that no expression uses."""
        code = _code(self.text)
        declared = {*self.parameters, *self.tree.get("variables", {})}
        return {name for name in declared if len(re.findall(rf"\b{name}\b", code)) < 2}

    def functions(self) -> set[str]:
        """Functions that it calls."""
        return set(_FUNCTION.findall(_code(self.text)))

    def _module(self, name: str, found: dict[str, Any]) -> Module:
        path = (self.path.parent / found["detail"]["path"]).resolve()
        text = self._declaration(name)
        return Module(name, path, frozenset(_keys_of(text, "params")), text)

    def _declaration(self, name: str) -> str:
        """From the declaration to the end of its block, which stands at the line's start."""
        found = re.search(rf"(?ms)^(?:resource|module) {name} .*?^\}}\]?$", self.text)
        assert found, name
        return found[0]


@cache
def read(path: Path) -> Bicep:
    """A file, parsed once."""
    return Bicep(path)


def files() -> list[Path]:
    """All Bicep files."""
    return sorted(INFRA.rglob("*.bicep"))


def everything() -> Iterator[Bicep]:
    """All of them, parsed."""
    return map(read, files())


def _keys_of(text: str, block: str) -> list[str]:
    """The keys of a block of a declaration, which is indented as the formatter does."""
    found = re.search(rf"(?ms)^(?P<indent> +){block}: \{{\n(?P<body>.*?)^(?P=indent)\}}", text)
    if not found:
        return []
    return re.findall(rf"(?m)^{found['indent']}  (\w+):", found["body"])


def _code(text: str) -> str:
    """Without comments, decorators, and strings but for the expressions in them."""
    text = re.sub(r"(?ms)^@description\(.*?'\)$|^\s*//[^\n]*$", "", text)
    text = re.sub(r"(?ms)^@(?:allowed|min\w+|max\w+|secure)\(.*?\)$", "", text)
    return _unquoted(text)


def _unquoted(text: str) -> str:
    """Strings as '', and what stands in ${} behind them in brackets."""
    out, position = [], 0
    while (start := text.find("'", position)) >= 0:
        out.append(text[position:start] + "''")
        position, inner = _string(text, start + 1)
        out += [f" ({each}) " for each in inner]
    return "".join(out) + text[position:]


def _string(text: str, position: int) -> tuple[int, list[str]]:
    """Where the string that begins here ends, and the expressions in it."""
    inner = []
    while text[position] != "'":
        if text[position] == "\\":
            position += 2
        elif text.startswith("${", position):
            end = _closing(text, position + 2)
            inner.append(_unquoted(text[position + 2 : end]))
            position = end + 1
        else:
            position += 1
    return position + 1, inner


def _closing(text: str, position: int) -> int:
    """Where the brace that is open here closes."""
    depth = 1
    while depth:
        if text[position] == "'":
            position, _ = _string(text, position + 1)
            continue
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        position += 1
    return position - 1


def _expressions(code: str) -> Iterator[str]:
    """The lines without what is declared in them, and without keys."""
    for line in code.splitlines():
        line = re.sub(r"^(?:param|metadata|targetScope)\b[^=]*=?", "", line)
        line = re.sub(r"^(?:var|output) \w+(?: \w+)? =", "", line)
        line = re.sub(r"^(?:resource|module) \w+ ''(?: existing)? =", "", line)
        yield _KEY.sub(" ", line)
