"""Reading the policy's file: YAML to a `Policy`."""

from tuneops import section_file
from tuneops.policy import Policy

MAX_BYTES = 64 * 1024


def parse_policy(text: str | bytes, file: str) -> Policy:
    """The policy in `text`; `file` is the name that errors give.

    Raises:
        InvalidConfigError: with every error found, each with its line.
    """
    return section_file.parse(Policy, text, file, MAX_BYTES)


def json_schema() -> str:
    """The JSON Schema of the policy's file, for editors, as indented JSON text."""
    return section_file.json_schema(Policy, "TuneOps policy")
