"""Reading a config file: YAML to a `ProjectConfig`."""

from tuneops import section_file
from tuneops.config import ProjectConfig
from tuneops.section_file import ConfigProblem, InvalidConfigError

__all__ = ["MAX_BYTES", "ConfigProblem", "InvalidConfigError", "json_schema", "parse_config"]

MAX_BYTES = 256 * 1024


def parse_config(text: str | bytes, file: str) -> ProjectConfig:
    """The config in `text`; `file` is the name that errors give.

    Raises:
        InvalidConfigError: with every error found, each with its line.
    """
    return section_file.parse(ProjectConfig, text, file, MAX_BYTES)


def json_schema() -> str:
    """The JSON Schema of a config file, for editors, as indented JSON text."""
    return section_file.json_schema(ProjectConfig, "TuneOps project")
