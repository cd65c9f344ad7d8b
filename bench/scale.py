"""What grows with the number of projects, measured on a local cloud at several sizes.

    python bench/scale.py STATE [PROJECTS ...]

Every project is live and settled, with its endpoint in Azure and its file in git. Prints a table,
and writes bench/scale.json. The store is Azurite: on Azure a call takes some milliseconds more or
less, so the calls count for more than the seconds.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from azure.storage.queue import QueueClient
from fleet import LargeFleet
from meter import Figures, Meter

from handlers import audit, page, project_page, reconcile, resync, status
from tests.cloud import Cloud
from tests.fleet import FOLDER
from tuneops.cli.target import local_workspace, use_local_identity
from tuneops.clock import utc_now
from tuneops.cost.report import read_bill
from tuneops.notify.reminding import remind
from tuneops.overview.keeping import keep_card
from tuneops.page.asked import Asked
from tuneops.queue import ProjectRequest, ProjectsRequest
from tuneops.reconcile import reconcile_project
from tuneops.services import Services
from tuneops.settings import Settings
from tuneops.sweep.finding import Findings
from tuneops.sweep.survey import Survey, looked_at

SIZES = (10, 1_000)
WHOLE = 1_000
"""So many projects have releases that can be read."""
LINEAR = ("overview anew", "bill", "sweep")
"""What reads some documents of each project: it is measured with no more than those."""
WRITERS, PROCESSES = 48, 4
RESULTS = Path(__file__).with_name("scale.json")


def main(state: Path, sizes: list[int]) -> None:
    """Measure at each size, in one cloud that grows."""
    shutil.rmtree(state, ignore_errors=True)
    cloud = Cloud(state)
    cloud.up("--parts", "storage,platform,azureml")
    try:
        use_local_identity(cloud.connection)
        os.environ["TUNEOPS_PAGE_URL"] = "http://127.0.0.1:7071"
        meter = Meter(settings(cloud), cloud.connection)
        tick(meter.services)
        fleet = LargeFleet(cloud, meter.services, whole=range(WHOLE))
        found = {size: dict(measured(fleet, meter, size)) for size in sizes}
    finally:
        cloud.down()
        shutil.rmtree(state, ignore_errors=True)
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    show(found)


def settings(cloud: Cloud) -> Settings:
    """The settings of an app that works with the cloud."""
    storage, github = cloud.connection["storage"], cloud.connection["github"]
    return Settings(
        **local_workspace(cloud.connection).model_dump(),
        storage_connection_string=storage["connection_string"],
        github_api_url=github["api_url"],
        github_repository=github["repository"],
        github_token=github["token"],
        github_webhook_secret="secret",
    )


def measured(fleet: LargeFleet, meter: Meter, size: int) -> Iterator[tuple[str, Figures]]:
    """Each piece of work with what it costs at this size."""
    begun = time.perf_counter()
    fleet.grow(size)
    print(f"{size} projects after {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    services = meter.services
    works: dict[str, Callable[[], object]] = {
        "timer": lambda: tick(services),
        "timer, all changed": lambda: change_all(services),
        "one look": lambda: reconcile_project(ProjectRequest(project="p-0001"), services),
        "mailboxes": lambda: remind(services, utc_now()),
        "overview anew": lambda: anew(services),
        "overview, one card": lambda: keep_card("p-0001", services),
        "page of all": lambda: shown(services),
        "page of one": lambda: project_page.handle(asked("/projects/p-0001"), services),
        "status of all": lambda: status.handle(None, services),
        "status of one": lambda: status.handle("p-0001", services),
        "bill": lambda: read_bill(services, utc_now()),
        "sweep": lambda: looked_at(Survey(services, utc_now()), Findings()),
        "audit of all": lambda: audit.handle(None, None, services),
    }
    for name, work in works.items():
        if size <= WHOLE or name not in LINEAR:
            yield name, log(name, meter.measure(work))
    yield "cards at once", log("cards at once", cards_at_once(services, size))
    yield "memory in MB", log("memory in MB", memory(fleet.azure))


def log(name: str, found: Figures) -> Figures:
    """The figures, which are shown as they come."""
    print(f"{name}: {found}", file=sys.stderr)
    return found


def tick(services: Services) -> None:
    """What the timer asks for, but for the mailboxes, and all that follows from it."""
    resync.handle(services)
    client = queue(services)
    while messages := list(client.receive_messages(max_messages=32, visibility_timeout=600)):
        for message in messages:
            client.delete_message(message)
            reconcile.handle(base64.b64decode(message.content), services)


def change_all(services: Services) -> None:
    """All train on the same data, which is new for a while; the looks are not taken."""
    path = f"{FOLDER}/more.jsonl"
    blob = services.blobs.get_blob_client(services.settings.datasets_container, path)
    blob.upload_blob(b"{}")
    reconcile.handle(ProjectsRequest().model_dump_json().encode(), services)
    blob.delete_blob()
    queue(services).clear_messages()


def anew(services: Services) -> None:
    """The overview is lost, and put together by the next resync."""
    for path in list(services.store.paths("overview")):
        services.store.delete(path)
    reconcile.handle(ProjectsRequest().model_dump_json().encode(), services)
    queue(services).clear_messages()


def shown(services: Services) -> None:
    """The page of all projects; a project's is behind its link."""
    answer = page.handle(asked("/"), services)
    assert answer.status == 200


def asked(path: str) -> Asked:
    """What a browser on this computer asks for."""
    parameters = {"project": path.rpartition("/")[2]}
    return Asked(path, headers={"host": "127.0.0.1:7071"}, parameters=parameters)


def queue(services: Services) -> QueueClient:
    """The queue of what is to be looked at."""
    connection = services.settings.storage_connection_string
    assert connection
    name = services.settings.reconcile_queue
    return QueueClient.from_connection_string(connection.get_secret_value(), name)


def cards_at_once(services: Services, size: int) -> Figures:
    """So many releases change their phase at once, on several instances; the slowest counts."""
    line = [sys.executable, str(Path(__file__).with_name("writers.py")), str(WRITERS // PROCESSES)]
    running = []
    for place in range(PROCESSES):
        names = [f"p-{(place * 97 + n * 7) % size:04}" for n in range(WRITERS // PROCESSES)]
        process = subprocess.Popen(
            [*line, *names], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        running.append(process)
    connection = services.settings.storage_connection_string
    assert connection
    for process in running:
        assert process.stdin
        process.stdin.write(connection.get_secret_value() + "\n")
        process.stdin.flush()
    for process in running:
        assert process.stdout
        process.stdout.readline()
    for process in running:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [json.loads(process.communicate()[0]) for process in running]
    return {
        "seconds": round(max(each["slowest"] for each in told), 3),
        "lost": sum(each["lost"] for each in told),
    }


def memory(cloud: Cloud) -> Figures:
    """What another process needs for a tick and the page of all."""
    line = [sys.executable, str(Path(__file__).with_name("memory.py")), str(cloud.state)]
    done = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True)
    found: Figures = json.loads(done.stdout)
    return found


def show(found: dict[int, dict[str, Figures]]) -> None:
    """A table for people."""
    sizes = list(found)
    print(f"{'':22}" + "".join(f"{size:>34,}" for size in sizes))
    for name in found[sizes[0]]:
        cells = []
        for size in sizes:
            each = found[size].get(name, {})
            if "seconds" not in each:
                cells.append(f"{', '.join(f'{k} {v}' for k, v in each.items()):>34}")
                continue
            calls = each.get("storage_calls")
            said = f"{each['seconds']:.2f} s"
            said += (
                "" if calls is None else f", {calls:,.0f} calls, {each['azure_calls']:.0f} Azure"
            )
            cells.append(f"{said:>34}")
        print(f"{name:22}" + "".join(cells))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(each) for each in sys.argv[2:]] or list(SIZES))
