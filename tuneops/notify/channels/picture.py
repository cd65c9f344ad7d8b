"""The picture of a message's curves, for channels that can show one."""

import logging

from tuneops.chart.plan import plan
from tuneops.message import Message
from tuneops.notify.channels import words

log = logging.getLogger(__name__)


def picture(message: Message) -> bytes | None:
    """The curves as PNG; None without curves, and when they can't be drawn."""
    if not message.curves:
        return None
    from tuneops.chart.png import png

    title = words.one_line(f"Training of {message.project}", 60)
    try:
        return png(plan(message.curves, title))
    except (ArithmeticError, OSError, ValueError) as error:
        log.warning("the curves of %s can't be drawn: %s", message.key, error)
        return None
