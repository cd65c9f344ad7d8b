"""The policy of a working copy: beside the configs, or in the folder above."""

from collections.abc import Iterator
from pathlib import Path

from tuneops.cli.files import read_bytes
from tuneops.config_file import InvalidConfigError
from tuneops.policy import FILE, Policy
from tuneops.policy_file import parse_policy


def policies_near(path: Path) -> Iterator[Path]:
    """The policy files that count for a config, or a folder of them."""
    folder = path if path.is_dir() else path.parent
    for file in (folder / FILE, folder.parent / FILE):
        if file.is_symlink() or file.is_file():
            yield file


def read_policy(file: Path) -> tuple[Policy | None, list[str]]:
    """The policy, or what is wrong with its file."""
    try:
        return parse_policy(read_bytes(file), str(file)), []
    except InvalidConfigError as error:
        return None, [str(problem) for problem in error.errors]
    except OSError as error:
        return None, [f"{file}: {error.strerror}"]
