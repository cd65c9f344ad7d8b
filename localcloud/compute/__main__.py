"""`python -m localcloud.compute --state DIR`: load torch once, then take jobs; or simulate them."""

from collections.abc import Callable

from localcloud.compute.control import Control
from localcloud.compute.node import Node
from localcloud.connection import Connection
from localcloud.manifest import Manifest, SimulatedCompute
from localcloud.part import begin_part
from localcloud.process import give_way
from localcloud.simulated.model import write_base_model
from localcloud.simulated.node import run_at_once
from localcloud.simulated.pipeline import Simulation
from localcloud.training.base_model import ensure_base_model
from localcloud.training.environment import prepare_environment
from localcloud.training.pipeline import preload

READY_FILE = "compute.ready"


def main() -> None:
    """Serve as the workspace's compute node until told to end."""
    connection = begin_part("The compute node of the workspace.")
    ready = connection.state_dir / READY_FILE
    ready.unlink(missing_ok=True)
    manifest = Manifest.load(connection.manifest_file)
    if manifest.functions_apart:
        give_way()
    simulated = manifest.simulated_compute
    control = Control(connection)
    if simulated is None:
        run = _trainer(connection, control)
    else:
        run = _simulator(connection, control, simulated)
    ready.write_text(f"{control.node}\n")
    try:
        run()
    finally:
        ready.unlink(missing_ok=True)
        control.close()


def _trainer(connection: Connection, control: Control) -> Callable[[], None]:
    prepare_environment()
    base_model = ensure_base_model(connection.cache_dir)
    control.publish_base_model(base_model)
    preload()
    return Node(connection, control, base_model).run_forever


def _simulator(
    connection: Connection, control: Control, settings: SimulatedCompute
) -> Callable[[], None]:
    base_model = write_base_model(connection.state_dir)
    control.publish_base_model(base_model)
    node = Node(connection, control, base_model, Simulation(settings.job_seconds).run)
    return lambda: run_at_once(node, control, settings.jobs_at_once)


if __name__ == "__main__":
    main()
