"""The commands that documents have people type: taken apart, and held against the real ones."""

import io
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import cache

from tests.documents import ROOT, Block, blocks
from tuneops.cli.reference import commands

SHELL = ("sh", "bash", "console", "shell")
OTHERS = {
    "az": "changes Azure; there is none in CI",
    "azd": "the same",
    "azcopy": "copies between storage accounts of Azure",
    "func": "Azure Functions Core Tools: publishes to Azure",
    "gh": "changes GitHub; there is none in CI",
    "curl": "asks a function app by its address",
    "git": "tests/e2e/test_walk.py types what the tutorial has of it",
    "uv": "fetches packages",
    "pip": "fetches packages",
    "pipx": "fetches packages",
    "docker": "needs a daemon",
}
"""Programs that are checked for syntax alone, and why."""
HARMLESS = frozenset(
    (
        ".",
        "cat",
        "cd",
        "cp",
        "echo",
        "export",
        "grep",
        "jq",
        "ls",
        "mkdir",
        "mv",
        "openssl",
        "printf",
    )
) | frozenset(
    (".", "read", "rm", "sed", "source", "tail", "test", "touch", "unzip", "xargs", "zip")
)
"""What any shell has."""
PYTHONS = ("python", "python3")
_OWN = ("tuneops", "make", *PYTHONS)
_KEYWORDS = frozenset(("if", "then", "else", "elif", "while", "until", "do", "!", "time", "{", "}"))
_ENDS = frozenset(("done", "fi", "esac", "for", "case"))
_OPERATORS = frozenset({"|", "||", "&&", ";", "&", "(", ")", "\n", "|&", ";;"})
_HEREDOC = re.compile(r"(<<-?\s*(['\"]?)(\w+)\2[^\n]*)\n.*?^\s*\3$", re.DOTALL | re.MULTILINE)
_PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9_-]*|\$\{?\w+\}?|<[^>]+>")
COMMANDS = commands()
GLOBAL = ("--debug", "--help", "--version", "--install-completion", "--show-completion")


class WrongError(Exception):
    """A command line that the program would not take."""


def script(block: Block) -> str:
    """What of a block is typed, empty if it is no commands at all.

    A console's lines begin with a prompt, the others are what it answers. An indented block counts
    as typed when it begins with a program.
    """
    lines = block.text.splitlines()
    if any(line.startswith("$ ") for line in lines):
        return "\n".join(line[2:] for line in lines if line.startswith("$ "))
    if block.language in SHELL:
        return block.text
    first = next((line.split()[0] for line in lines if line.strip()), "")
    known = first in _OWN or first in OTHERS or first in {"export", "cp", "cd"}
    return block.text if known and not block.language else ""


def simple(text: str) -> Iterator[list[str]]:
    """The simple commands of a script, each as its words.

    Raises:
        ValueError: quotes do not match.
    """
    joined = _HEREDOC.sub(r"\1", text.replace("\\\n", " "))
    begun = ""
    for line in joined.splitlines():
        begun += line
        try:
            words = _words(begun)
        except ValueError:
            begun += "\n"
            continue
        begun = ""
        yield from _commands(words)
    _words(begun)


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(lexer)


def _commands(words: list[str]) -> Iterator[list[str]]:
    found: list[str] = []
    skip = False
    for word in [*words, ";"]:
        if skip:
            skip = False
        elif word in _OPERATORS or set(word) <= set("();&|"):
            if found and found[0] not in _ENDS:
                yield found
            found = []
        elif word and set(word) <= set("<>&"):
            skip = True
            if found and found[-1].isdigit():
                found.pop()
        elif found or not (word in _KEYWORDS or re.match(r"\w+=|\$$", word)):
            found.append(word)


@cache
def typed() -> tuple[tuple[Block, tuple[str, ...]], ...]:
    """Every command of every document with its words."""
    return tuple(
        (block, tuple(words)) for block in blocks() for words in simple(script(block)) if words
    )


def of(program: str) -> list[tuple[Block, tuple[str, ...]]]:
    """The commands of one program, without its own name; it may lie in ``.venv/bin``."""
    return [(block, words[1:]) for block, words in typed() if named(words) == program]


def named(words: tuple[str, ...]) -> str:
    """The program of a command."""
    return words[0].removeprefix(".venv/bin/").removeprefix("./")


def command_of(words: tuple[str, ...]) -> tuple[str, list[str]]:
    """The command of ours that a line names, and its own words.

    Raises:
        WrongError: there is none.
    """
    own = [word for word in words if word not in ("--debug",)]
    for length in (2, 1):
        name = " ".join(("tuneops", *own[:length]))
        if name in COMMANDS and len(own) >= length:
            return name, own[length:]
    raise WrongError(f"there is no command tuneops {' '.join(own[:2])}")


def check(words: tuple[str, ...]) -> None:
    """See that the real command takes the line; what stands in brackets may be left out.

    Raises:
        WrongError: it does not.
    """
    if words and words[0] in GLOBAL and words[0] != "--debug":
        return
    name, own = command_of(tuple(word.strip("[]") for word in words))
    try:
        _parse(name, own)
    except WrongError:
        _parse(name, ["1" if _PLACEHOLDER.fullmatch(word) else word for word in own])


def _parse(name: str, own: list[str]) -> None:
    try:
        with redirect_stdout(io.StringIO()):
            COMMANDS[name].make_context(name, [word for word in own if word != "--help"])
    except Exception as error:
        said = getattr(error, "message", None) or str(error)
        raise WrongError(f"{name}: {said}") from error


def check_mention(text: str) -> None:
    """See that the command exists that a sentence names, with the options that it names.

    Raises:
        WrongError: it does not.
    """
    words = re.findall(r"[\w./~:-]+", text)[1:]
    if not words or not re.fullmatch(r"[a-z][a-z-]*", words[0]):
        unknown = [word for word in words if word.startswith("--") and word not in GLOBAL]
        if unknown:
            raise WrongError(f"there is no {unknown[0]}")
        return
    if not any(name == f"tuneops {words[0]}" for name in COMMANDS):
        inner = [name for name in COMMANDS if name.startswith(f"tuneops {words[0]} ")]
        if len(words) == 1 and inner:
            return
    name, own = command_of(tuple(words))
    options = {opt for each in COMMANDS[name].params for opt in (*each.opts, *each.secondary_opts)}
    unknown = [word for word in own if word.startswith("-") and word not in {*options, *GLOBAL}]
    if unknown:
        raise WrongError(f"{name} has no {unknown[0]}")


@cache
def targets() -> frozenset[str]:
    """What ``make`` makes."""
    text = (ROOT / "Makefile").read_text()
    return frozenset(re.findall(r"^([a-z][\w-]*):", text, re.MULTILINE))


def check_make(words: tuple[str, ...]) -> None:
    """See that make knows the target.

    Raises:
        WrongError: it does not.
    """
    for word in words:
        if re.fullmatch(r"[a-z][\w-]*", word) and word not in targets():
            raise WrongError(f"there is no target {word}")


def check_python(words: tuple[str, ...]) -> None:
    """See that a module or script of ours is there.

    Raises:
        WrongError: it is not.
    """
    if words[:1] == ("-m",) and len(words) > 1:
        path = ROOT / words[1].replace(".", "/")
        ours = words[1].partition(".")[0] in {each.name for each in ROOT.iterdir()}
        there = path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()
        if ours and not there:
            raise WrongError(f"there is no module {words[1]}")
    elif words and words[0].endswith(".py") and not (ROOT / words[0]).is_file():
        raise WrongError(f"there is no file {words[0]}")
