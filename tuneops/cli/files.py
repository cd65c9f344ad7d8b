"""The files of a working copy, which may be somebody else's pull request."""

from pathlib import Path

from tuneops.config import ProjectConfig
from tuneops.config_file import MAX_BYTES, InvalidConfigError, parse_config

SUFFIXES = (".yaml", ".yml")
NOT_OURS = (".git", ".github")


def yaml_files(path: Path) -> list[Path]:
    """The YAML files below a folder, but git's and GitHub's own; a file, or a link, is itself."""
    if path.is_symlink() or not path.is_dir():
        return [path]
    found = (file for file in path.rglob("*") if file.suffix in SUFFIXES)
    return sorted(file for file in found if file.relative_to(path).parts[0] not in NOT_OURS)


def read_bytes(file: Path) -> bytes:
    """What is in a file of at most the size that is looked at, or its beginning and a little more.

    Raises:
        OSError: it can't be read, or is a link: what it leads to is not what is in git.
    """
    if file.is_symlink():
        raise OSError(0, "is a symbolic link; put the file itself here")
    with file.open("rb") as content:
        return content.read(MAX_BYTES + 1)


def read_config(file: Path) -> tuple[ProjectConfig | None, list[str]]:
    """The config, or what is wrong with its file."""
    try:
        return parse_config(read_bytes(file), str(file)), []
    except InvalidConfigError as error:
        return None, [str(problem) for problem in error.errors]
    except OSError as error:
        return None, [f"{file}: {error.strerror}"]
