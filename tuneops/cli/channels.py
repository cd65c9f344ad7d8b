"""The channels that the environment sets, for configs that choose among them."""

import os

from tuneops.config import ProjectConfig
from tuneops.notify.channels.making import channel_names
from tuneops.notify.channels.settings import SETTING
from tuneops.notify.chosen import unknown_channel


def channel_problem(config: ProjectConfig) -> str:
    """What is wrong with the channels of a config; empty where none are set to go by."""
    given = os.environ.get(SETTING)
    return "" if given is None else unknown_channel(config, channel_names(given))
