"""The command line: ``python -m localcloud up|down|status``."""

import argparse
import sys
from pathlib import Path

from localcloud.connection import ConnectionUnavailableError
from localcloud.control import Folders, StartError, StopError, down, status, up
from localcloud.manifest import ManifestError
from localcloud.parts import PART_NAMES
from localcloud.process import PortsError
from localcloud.storage.install import InstallError

START_SECONDS = 600


def main() -> int:
    """Run one command; gives the exit code."""
    arguments = _parser().parse_args()
    state = arguments.state.absolute()
    try:
        match arguments.command:
            case "up":
                return _up(arguments, state)
            case "down":
                return _down(state)
            case _:
                return _status(state)
    except (
        ConnectionUnavailableError,
        InstallError,
        ManifestError,
        PortsError,
        StartError,
        StopError,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m localcloud", description="A local Azure.")
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("up", help="start it in the background")
    stop = commands.add_parser("down", help="end it; what it stored stays")
    show = commands.add_parser("status", help="show its parts; exit code 1 unless all are healthy")
    for command in (start, stop, show):
        command.add_argument(
            "--state", type=Path, default=Path(".localcloud"), help="state directory"
        )
    start.add_argument("--app", type=Path, default=Path(), help="folder of function_app.py")
    start.add_argument(
        "--manifest", type=Path, help="what to provide (default: infra/local.yaml of the app)"
    )
    start.add_argument("--cache", type=Path, help="folder for downloads (default: cache in state)")
    start.add_argument(
        "--parts",
        type=_part_names,
        default=PART_NAMES,
        help=f"only these, separated by commas: {', '.join(PART_NAMES)}",
    )
    start.add_argument("--timeout", type=float, default=START_SECONDS, help="seconds to wait")
    return parser


def _part_names(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in PART_NAMES:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(PART_NAMES)}")
    return names


def _up(arguments: argparse.Namespace, state: Path) -> int:
    app = arguments.app.absolute()
    folders = Folders(
        state=state,
        cache=(arguments.cache or state / "cache").absolute(),
        app=app,
        manifest=(arguments.manifest or app / "infra" / "local.yaml").absolute(),
    )
    connection = up(folders, arguments.parts, arguments.timeout)
    print(f"The local cloud is up: {connection.state_dir / 'connection.json'}")
    return 0


def _down(state: Path) -> int:
    print("The local cloud is down." if down(state) else "The local cloud was not running.")
    return 0


def _status(state: Path) -> int:
    parts = status(state)
    if not parts:
        print(f"The local cloud in {state} is not running.")
        return 1
    for part in parts:
        health = "healthy" if part.healthy else "not healthy"
        record = part.record
        print(f"{part.name:<10} {health:<12} process {record.pid}, {record.restarts} restarts")
    return 0 if all(part.healthy for part in parts) else 1


if __name__ == "__main__":
    sys.exit(main())
