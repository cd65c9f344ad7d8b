"""The memory of a process after a tick and the page of all. For `scale.py`.

python bench/memory.py STATE
"""

import json
import sys
from pathlib import Path

import psutil
from scale import asked, settings

import function_app
from handlers import page
from tests.cloud import Cloud
from tuneops.cli.target import use_local_identity
from tuneops.resync import resync_projects
from tuneops.services import Services


def megabytes() -> int:
    """What this process has now."""
    return int(psutil.Process().memory_info().rss / 1e6)


def main(state: Path) -> None:
    """Do both, and print the memory before and after."""
    cloud = Cloud(state)
    cloud.load()
    use_local_identity(cloud.connection)
    services = Services(settings(cloud))
    begun = megabytes() if function_app.app else 0
    resync_projects(services)
    after_tick = megabytes()
    page.handle(asked("/"), services)
    print(json.dumps({"begun": begun, "tick": after_tick, "page": megabytes()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
