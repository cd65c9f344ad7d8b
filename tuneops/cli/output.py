"""How commands print: tables for people, one JSON document for programs."""

import os
import sys
from typing import Annotated

import typer
from pydantic import BaseModel
from rich.console import Console

UNBOUNDED = 10_000
"""Columns of what is no terminal: no line that goes through a pipe is broken."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def console() -> Console:
    """Standard output, as wide as the terminal; a pipe gets no colours, nor any with NO_COLOR."""
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if known else UNBOUNDED, highlight=False)


def print_json(document: BaseModel) -> None:
    """The document on standard output, where nothing else goes then."""
    typer.echo(document.model_dump_json(indent=2))
