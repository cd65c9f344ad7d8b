"""Configs for tests, as their authors would write them."""

from tuneops.config import ProjectConfig
from tuneops.config_file import parse_config


def config_of(name: str, extra: str = "") -> ProjectConfig:
    """A project with the required sections, and `extra` YAML."""
    text = f"name: {name}\nmodel: {{name: Phi-3-mini-4k-instruct}}\ndata: {{path: {name}}}\n{extra}"
    return parse_config(text, f"finetune/{name}.yaml")
