"""`python -m localcloud.compute --state DIR`: load torch once, then take jobs."""

from localcloud.compute.control import Control
from localcloud.compute.node import Node
from localcloud.part import begin_part
from localcloud.training.base_model import ensure_base_model
from localcloud.training.environment import prepare_environment
from localcloud.training.pipeline import preload

READY_FILE = "compute.ready"


def main() -> None:
    """Serve as the workspace's compute node until told to end."""
    connection = begin_part("The compute node of the workspace.")
    ready = connection.state_dir / READY_FILE
    ready.unlink(missing_ok=True)
    prepare_environment()
    base_model = ensure_base_model(connection.cache_dir)
    control = Control(connection)
    control.publish_base_model(base_model)
    preload()
    ready.write_text(f"{control.node}\n")
    try:
        Node(connection, control, base_model).run_forever()
    finally:
        ready.unlink(missing_ok=True)
        control.close()


if __name__ == "__main__":
    main()
