"""One instance of several that write cards at once, each for its projects. For `scale.py`.

python bench/writers.py THREADS PROJECT ...
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tuneops.overview.document import Card
from tuneops.overview.keeping import put_card
from tuneops.services import open_blobs
from tuneops.settings import Settings
from tuneops.store import ConflictError, Store


def main(threads: int, projects: list[str]) -> None:
    """Say that it is ready, wait to be told, write; print the slowest and how many were lost."""
    made = Settings(
        subscription_id="s",
        resource_group="g",
        workspace="w",
        github_repository="contoso/models",
        github_token="token",
        github_webhook_secret="secret",
        storage_connection_string=sys.stdin.readline().strip(),
    )
    store = Store(open_blobs(made), made.state_container)
    list(store.paths("overview"))
    print("ready", flush=True)
    sys.stdin.readline()
    begun = time.perf_counter()

    def write(project: str) -> float:
        card = Card(name=project, phase="Training", reason=f"at {time.time()}")
        try:
            put_card(store, project, card)
        except ConflictError:
            return -1
        return time.perf_counter() - begun

    with ThreadPoolExecutor(threads) as pool:
        took = list(pool.map(write, projects))
    print(json.dumps({"slowest": max(took), "lost": took.count(-1)}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
