"""From a merge to a submitted job, on a local cloud with everything in it.

    python bench/merge.py STATE RUNS

Each run pushes another learning rate to the tracked branch, and waits for the release to be live so
that nothing else runs when the next one begins. The time is from the end of the push to the job's
creation, as the workspace tells it.
"""

import json
import sys
import time
from pathlib import Path

from tests.cloud import QUICK, Cloud, config, some_rows

NAME = "merged"


def main(state: Path, runs: int) -> None:
    """Measure, and print the seconds; the first release is not counted."""
    cloud = Cloud(state)
    cloud.up()
    try:
        cloud.upload(f"{NAME}/chats.jsonl", some_rows())
        seconds = [submitted_after(cloud, number) for number in range(1, runs + 2)]
    finally:
        cloud.down()
    print(json.dumps({"seconds": seconds[1:]}))


def submitted_after(cloud: Cloud, number: int) -> float:
    """Merge a change; the seconds until the job of release `number` was submitted."""
    parameters = {**QUICK, "max_steps": 1, "learning_rate": number / 1e4}
    cloud.merge({f"{NAME}.yaml": config(NAME, training={"parameters": parameters})})
    merged = time.time()
    release = cloud.until_phase(NAME, number, "Live").release
    if release is None or release.job is None:
        raise RuntimeError(f"release {number} has no job")
    context = cloud.ml.jobs.get(release.job).creation_context
    return float(context.created_at.timestamp() - merged)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
