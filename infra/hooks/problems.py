"""What keeps a hook from its work, said so that whoever runs azd can mend it."""

import sys
from collections.abc import Callable

from tuneops.scrub import scrub


class HookError(Exception):
    """It can't go on; the message says why and what to do."""


def say(text: str) -> None:
    """Tell whoever runs azd something; no secret comes into it."""
    print(scrub(text), flush=True)


def run(hook: Callable[[], None]) -> None:
    """Run a hook; ends with 1 and the reason when it can't go on."""
    try:
        hook()
    except HookError as error:
        print(scrub(str(error)), file=sys.stderr)
        sys.exit(1)
