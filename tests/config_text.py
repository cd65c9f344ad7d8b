"""Configs for tests, as their authors would write them."""

from tuneops.config import ProjectConfig
from tuneops.config_file import parse_config


def text(name: str, extra: str = "") -> str:
    """A file with the required sections, and `extra` YAML."""
    return f"name: {name}\nmodel: {{name: Phi-3-mini-4k-instruct}}\ndata: {{path: {name}}}\n{extra}"


def config_of(name: str, extra: str = "") -> ProjectConfig:
    """The project of that file."""
    return parse_config(text(name, extra), f"finetune/{name}.yaml")
