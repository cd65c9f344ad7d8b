"""What a command prints on a terminal, and a picture of it."""

import fcntl
import io
import os
import pty
import re
import select
import struct
import subprocess
import termios
from collections.abc import Mapping
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

COLUMNS, ROWS = 100, 50
_LOOK_SECONDS = 0.1
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
"""Rich's, without fonts from the network."""


def run(line: str, folder: Path, environment: Mapping[str, str]) -> tuple[str, int]:
    """Run a line in a terminal of its own; gives what it printed, and its exit code.

    What it leaves running in the background is not waited for.
    """
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        process = subprocess.Popen(
            ["bash", "-c", line],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        printed = io.BytesIO()
        while _read(ours, printed) or process.poll() is None:
            pass
        _read(ours, printed)
        return printed.getvalue().decode().replace("\r\n", "\n"), process.wait()
    finally:
        os.close(ours)
        os.close(theirs)


def picture(printed: list[tuple[str, str]]) -> str:
    """Lines that were typed and what they printed, as SVG."""
    console = Console(
        width=COLUMNS, record=True, file=io.StringIO(), force_terminal=True, highlight=False
    )
    for number, (line, output) in enumerate(printed):
        if number:
            console.print()
        console.print(Text("$ ", style="bold green") + Text(line, style="bold"))
        if output.strip():
            console.print(Text.from_ansi(output.rstrip()))
    console.print()
    return console.export_svg(title="", code_format=_FORMAT)


def _read(terminal: int, into: io.BytesIO) -> bool:
    """Take what there is; gives whether there was something."""
    ready, _, _ = select.select([terminal], [], [], _LOOK_SECONDS)
    if ready:
        into.write(os.read(terminal, 65536))
    return bool(ready)
