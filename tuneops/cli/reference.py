"""The reference of all commands, docs/cli.md, made from the commands themselves.

`make reference` writes it: ``python -m tuneops.cli.reference docs/cli.md``
"""

import re
import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any

import typer

HEAD = """\
# Commands

Made from the commands themselves (`make reference`); `tuneops COMMAND --help` says the same.

| exit code | when |
|---|---|
| 0 | all is well |
| 1 | something failed or was refused; a message on standard error says what |
| 2 | the command line is wrong; `tuneops plan` also exits with 2 when something would change |
| 130 | Ctrl-C |

With `--json` there is one JSON document on standard output and nothing else; messages go to
standard error. Colours are left out in a pipe and where `NO_COLOR` is set. An unexpected error is
one line; `tuneops --debug COMMAND` shows where it comes from. `tuneops --install-completion`
teaches the shell commands, options and, where TuneOps can be asked, the names of projects.

Commands ask the local cloud in `.localcloud` (`--state`, `LOCALCLOUD_STATE`), or the function app
that `--url` and `--key` (`TUNEOPS_URL`, `TUNEOPS_FUNCTION_KEY`) name; these options are not
repeated below.
"""
COMMON = frozenset({"url", "key", "state", "help", "install_completion", "show_completion"})
EXAMPLE = re.compile(r"\n*^Example: (?P<line>.+)$", re.MULTILINE)


def commands() -> dict[str, Any]:
    """All commands by what is typed, in their order."""
    from tuneops.cli import app

    return dict(_below("tuneops", typer.main.get_command(app)))


def example(command: Any) -> str:
    """The example in a command's help, empty without one."""
    found = EXAMPLE.search(cleandoc(command.help or ""))
    return found["line"] if found else ""


def reference() -> str:
    """The document."""
    return "\n".join((HEAD, *(_section(name, each) for name, each in commands().items())))


def _below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
        return
    for each in inner.values():
        yield from _below(f"{name} {each.name}", each)


def _section(name: str, command: Any) -> str:
    shown = [each for each in command.params if each.name not in COMMON]
    arguments = [_argument(each) for each in shown if each.param_type_name == "argument"]
    said = EXAMPLE.sub("", cleandoc(command.help or ""))
    lines = [f"## {' '.join((name, *arguments))}", "", said, ""]
    rows = [row for each in shown for row in _row(each)]
    if rows:
        lines += ["| | |", "|---|---|", *rows, ""]
    return "\n".join((*lines, f"    {example(command)}", ""))


def _argument(argument: Any) -> str:
    name = str(argument.metavar or argument.name.upper())
    many = "..." if argument.nargs != 1 else ""
    return f"{name}{many}" if argument.required else f"[{name}]{many}"


def _row(parameter: Any) -> Iterator[str]:
    """What a line of the table says of a parameter that has something to say."""
    text = str(parameter.help or "").replace("|", "\\|")
    if parameter.param_type_name == "argument":
        names = f"`{parameter.metavar or parameter.name.upper()}`"
    else:
        names = ", ".join(f"`{each}`" for each in (*parameter.opts, *parameter.secondary_opts))
    default = parameter.default
    plain = default is None or default in ("", ()) or isinstance(default, bool) or callable(default)
    yield f"| {names} | {text}{'' if plain else f' Default: `{default}`.'} |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference())
