"""A Functions host that can die anywhere: ``python -m tests.chaos.host --state DIR --points DIR``.

It serves the app as it is: what watches for the points is put around the reconciler from here, so
that production code knows nothing of it. The process imports what takes seconds once and forks the
host, so that one that was killed is there again at once. Waits of the local cloud, and of TuneOps
for what was lost, are shortened to seconds.
"""

import argparse
import os
import select
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.chaos.points import Points

CLAIM_SECONDS, RENEWAL_SECONDS = 6, 2
"""How long a message belongs to a host that has died; in Azure ten minutes."""
HANGS_SECONDS = 3
"""After so long a call of the workspace that nobody answers is given up."""
A_MINUTE = timedelta(seconds=4)
"""How long what TuneOps waits for a minute takes."""
LOOK_SECONDS = 0.02


def main() -> None:
    """Fork a host, and another one whenever it has died, until standard input ends."""
    parser = argparse.ArgumentParser(description="A Functions host that can die anywhere.")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--points", type=Path, required=True)
    given = parser.parse_args()
    _preload()
    sys.argv = ["host", "--state", str(given.state)]
    while True:
        child = os.fork()
        if child == 0:
            _serve(given.state, Points(given.points))
        (given.state / "host.pid").write_text(str(child))
        if not _died(child):
            os.kill(child, signal.SIGKILL)
            return
        with (given.state / "deaths").open("a") as deaths:
            deaths.write(f"{child}\n")


def _died(child: int) -> bool:
    """Wait until the host has died; not if this process is to end before that."""
    while True:
        ended, _ = os.waitpid(child, os.WNOHANG)
        if ended:
            return True
        if select.select([0], [], [], LOOK_SECONDS)[0]:
            return False


def _preload() -> None:
    """Import what takes seconds; nothing that starts a thread or reads a setting."""
    import tuneops.looks
    import tuneops.phases.provisioning
    import tuneops.rollout.approval

    tuneops.looks.LOST_AFTER = A_MINUTE
    tuneops.phases.provisioning.FIRST_PAUSE = A_MINUTE
    tuneops.rollout.approval.LOOK_EVERY = A_MINUTE
    tuneops.rollout.approval.GRACE = 2 * A_MINUTE
    import tuneops.azureml.transport

    tuneops.azureml.transport.READ_SECONDS = HANGS_SECONDS
    import azure.ai.ml
    import azure.ai.ml.entities
    import azure.identity
    import azure.storage.blob
    import azure.storage.queue  # noqa: F401

    import localcloud.functions.queue_triggers as queue_triggers
    import tuneops.previews.keeping
    import tuneops.reconcile
    import tuneops.resync
    import tuneops.review
    import tuneops.sweep.sweeper
    import tuneops.sync

    queue_triggers.LEASE_SECONDS = CLAIM_SECONDS
    queue_triggers.RENEWAL_SECONDS = RENEWAL_SECONDS


def _serve(state: Path, points: Points) -> None:
    """Be the host."""
    from localcloud.functions.__main__ import main as serve

    watch(points)
    shift = _shift(state)
    if shift:
        import time_machine

        time_machine.travel(time.time() + shift, tick=True).start()
    serve()
    os._exit(0)


def _shift(state: Path) -> float:
    """How many seconds this host's clock is wrong by."""
    file = state / "shift"
    return float(file.read_text()) if file.exists() else 0


def watch(points: Points) -> None:
    """Put the points around each effect of the reconciler."""
    from tuneops import held, reconcile

    module: Any = reconcile
    looking, holding = module._Pass, held.Held
    perform, act, save_project = looking._perform, module.act, holding.save_project

    def performing(self: Any, action: Any) -> None:
        effect = type(action).__name__
        self.held.effect = effect
        points.pass_by(effect, "before")
        perform(self, action)
        points.pass_by(effect, "after")

    def acting(action: Any, *given: Any) -> Any:
        done = act(action, *given)
        points.pass_by(type(action).__name__, "during")
        return done

    def saving_project(self: Any, project: Any) -> None:
        known = self.project
        if (project.current, project.live) != (known.current, known.live):
            points.pass_by(self.effect, "during")
        save_project(self, project)

    looking._perform, module.act = performing, acting
    holding.save_project = saving_project  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
