"""The policy of a working copy: beside the configs, or in the folder above."""

from collections.abc import Iterator
from pathlib import Path

from tuneops.config_file import InvalidConfigError
from tuneops.policy import FILE, Policy
from tuneops.policy_file import parse_policy


def policies_near(path: Path) -> Iterator[Path]:
    """The policy files that count for a config, or a folder of them."""
    folder = path if path.is_dir() else path.parent
    yield from filter(Path.is_file, (folder / FILE, folder.parent / FILE))


def read_policy(file: Path) -> tuple[Policy | None, list[str]]:
    """The policy, or what is wrong with its file."""
    try:
        return parse_policy(file.read_bytes(), str(file)), []
    except InvalidConfigError as error:
        return None, [str(problem) for problem in error.errors]
    except OSError as error:
        return None, [f"{file}: {error.strerror}"]
