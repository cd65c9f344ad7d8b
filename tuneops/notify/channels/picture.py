"""The picture of a message's curves, for channels that can show one."""

import logging
from importlib import import_module
from importlib.util import find_spec

from tuneops.message import Message
from tuneops.notify.channels import words

log = logging.getLogger(__name__)


def picture(message: Message) -> bytes | None:
    """The curves as PNG; None without curves, and when they can't be drawn."""
    if not message.curves or find_spec("tuneops.chart") is None:
        return None
    title = words.one_line(f"Training of {message.project}", 60)
    try:
        chart = import_module("tuneops.chart.plan").plan(message.curves, title)
        drawn: bytes = import_module("tuneops.chart.png").png(chart)
    except (ArithmeticError, OSError, ValueError) as error:
        log.warning("the curves of %s can't be drawn: %s", message.key, error)
        return None
    return drawn
