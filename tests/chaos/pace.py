"""How slow this machine is now: faults come and patience lasts accordingly."""

import os


def slowness() -> float:
    """How many processes there are for each core, at least 1."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
