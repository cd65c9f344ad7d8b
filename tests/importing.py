"""Processes whose imports are looked at."""

import os


def unwatched() -> dict[str, str]:
    """The environment for one: what `make coverage` watches imports what watches it as well."""
    return {name: each for name, each in os.environ.items() if not name.startswith("COVERAGE_")}
