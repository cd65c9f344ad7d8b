"""What stands in the project's documents: blocks, code, links, anchors. For tests."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path for glob in ("*.md", "docs/**/*.md", ".github/**/*.md") for path in ROOT.glob(glob)
)
_HTML_LINK = re.compile(r"""<(?:a|img|source)\b[^>]*?\s(?:href|src|srcset)="([^"]+)\"""")
_HTML_ANCHOR = re.compile(r"""<a\b[^>]*?\s(?:id|name)="([^"]+)\"""")
_MARKDOWN = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True)
class Block:
    """A block of code; `order` is the comment right above it."""

    file: Path
    line: int
    language: str
    text: str
    order: str = ""

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True)
class Code:
    """Code within a line."""

    file: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}: {self.text}"


@cache
def blocks() -> tuple[Block, ...]:
    """All blocks of all documents."""
    return tuple(block for file in DOCUMENTS for block in blocks_of(file.read_text(), file))


def blocks_of(text: str, file: Path = ROOT / "README.md") -> Iterator[Block]:
    """The blocks of one document; an indented one has no language."""
    order = ""
    for token in _MARKDOWN.parse(text):
        if token.type in ("fence", "code_block"):
            language = token.info.split(maxsplit=1)[0] if token.info.strip() else ""
            yield Block(file, _line(token), language, token.content, order)
        if token.level == 0:
            order = token.content.strip() if token.type == "html_block" else ""


@cache
def codes() -> tuple[Code, ...]:
    """All code within lines."""
    return tuple(
        Code(file, line, child.content)
        for file in DOCUMENTS
        for line, child in _inline(file.read_text())
        if child.type == "code_inline"
    )


def links(text: str) -> Iterator[tuple[int, str]]:
    """Where a document leads to, by line."""
    for line, child in _inline(text):
        if child.type in ("link_open", "image"):
            yield line, str(child.attrs["href" if child.type == "link_open" else "src"])
        elif child.type == "html_inline":
            yield from ((line, found) for found in _HTML_LINK.findall(child.content))
    for token in _MARKDOWN.parse(text):
        if token.type == "html_block":
            yield from ((_line(token), found) for found in _HTML_LINK.findall(token.content))


@cache
def anchors(file: Path) -> frozenset[str]:
    """The places of a document that a link may name, as GitHub names them."""
    text = file.read_text()
    tokens = _MARKDOWN.parse(text)
    seen: Counter[str] = Counter()
    found = set(_HTML_ANCHOR.findall(text))
    for opened, inline in pairwise(tokens):
        if opened.type != "heading_open":
            continue
        shown = "".join(child.content for child in inline.children or ())
        name = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return frozenset(found)


def broken_links(file: Path, text: str) -> Iterator[str]:
    """What leads nowhere inside the repository."""
    for line, link in links(text):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        path = (file.parent / unquote(parts.path)).resolve() if parts.path else file
        where = f"{file.relative_to(ROOT)}:{line}: {link}"
        if not path.exists() or not path.is_relative_to(ROOT):
            yield f"{where}: there is no such file"
        elif parts.fragment and path.suffix == ".md" and parts.fragment not in anchors(path):
            yield f"{where}: there is no such heading"


def _inline(text: str) -> Iterator[tuple[int, Token]]:
    for token in _MARKDOWN.parse(text):
        if token.type == "inline":
            yield from ((_line(token), child) for child in token.children or ())


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 1
