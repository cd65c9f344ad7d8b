"""How commands print: tables for people, one JSON document for programs."""

import os
import re
import sys
from typing import Annotated

import typer
from pydantic import BaseModel
from rich.console import Console

UNBOUNDED = 10_000
"""Columns of what is no terminal: no line that goes through a pipe is broken."""

_STEERING = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Sequences of colours and the like, and control characters; no line breaks, no tabs."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def console() -> Console:
    """Standard output, as wide as the terminal; a pipe gets no colours, nor any with NO_COLOR.

    Texts are foreign as a rule, so no brackets in them mean anything.
    """
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    width = None if known else UNBOUNDED
    return Console(width=width, highlight=False, markup=False, emoji=False)


def plain(text: str) -> str:
    """Foreign text without what would steer the terminal."""
    return _STEERING.sub("", text)


def print_json(document: BaseModel) -> None:
    """The document on standard output, where nothing else goes then."""
    typer.echo(document.model_dump_json(indent=2))
