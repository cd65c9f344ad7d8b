"""``up``, ``down``, ``status``, and what happens when processes are killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from small_cloud import CACHE, ROOT, blobs, run_cli, start_cli, until, write_manifest

from localcloud.connection import Connection
from localcloud.leftovers import leftovers
from localcloud.parts import Part, base_environment
from localcloud.records import LOCK_FILE, Processes, supervisor_pid

pytestmark = pytest.mark.slow
PARTS = "storage,platform"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    write_manifest(tmp_path)
    yield tmp_path / "state"
    run_cli("down", tmp_path / "state")


def processes_of(state: Path) -> list[str]:
    """The command lines that mention the state directory, as ``pgrep -f`` would find them."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(state) in line and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(line)
    return found


def start_options(state: Path, parts: str = PARTS) -> list[str]:
    manifest = state.parent / "manifest.yaml"
    app = str(state.parent)
    return ["--app", app, "--manifest", str(manifest), "--cache", str(CACHE), "--parts", parts]


def test_up_twice_status_and_down(state: Path) -> None:
    first = run_cli("up", state, *start_options(state))
    assert first.returncode == 0, first.stderr
    assert "storage" in first.stdout
    assert "platform" in first.stdout
    second = run_cli("up", state, *start_options(state))
    assert second.returncode == 0
    assert "running already" in second.stdout
    status = run_cli("status", state)
    assert status.returncode == 0
    assert status.stdout.count(" healthy ") == 2
    assert any("azurite.js" in line for line in processes_of(state))
    assert run_cli("down", state).returncode == 0
    assert processes_of(state) == []
    assert leftovers(state) == []
    assert run_cli("status", state).returncode == 1
    again = run_cli("down", state)
    assert again.returncode == 0
    assert "was not running" in again.stdout


def test_kill_9_of_the_supervisor_ends_every_part(state: Path) -> None:
    start_cli(state, PARTS)
    assert len(processes_of(state)) == 4
    pid = supervisor_pid(state)
    assert pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: not processes_of(state), 8)
    assert run_cli("status", state).returncode == 1
    start_cli(state, PARTS)
    assert run_cli("status", state).returncode == 0


def test_a_killed_part_starts_again_with_its_data(state: Path) -> None:
    connection = start_cli(state, PARTS)
    blobs(connection).get_blob_client("datasets", "kept").upload_blob(b"text")
    saved = state / "azurite" / "__azurite_db_blob__.json"
    until(lambda: "kept" in saved.read_text(), 60)
    for name in ("storage", "platform"):
        os.kill(Processes.load(state).parts[name].pid, signal.SIGKILL)
    until(lambda: [one.restarts for one in Processes.load(state).parts.values()] == [1, 1], 60)
    until(lambda: run_cli("status", state).returncode == 0, 60)
    assert blobs(connection).get_blob_client("datasets", "kept").download_blob().readall()


@pytest.mark.soak
def test_when_azurite_is_killed_the_part_starts_again(state: Path) -> None:
    connection = start_cli(state, "storage")
    [node] = [one for one in leftovers(state) if "azurite.js" in " ".join(one.cmdline())]
    node.kill()
    until(lambda: Processes.load(state).parts["storage"].restarts == 1, 60)
    until(lambda: Part("storage", connection).is_healthy(), 60)


@pytest.mark.soak
def test_a_stale_lock_file_is_no_obstacle(state: Path) -> None:
    state.mkdir()
    (state / LOCK_FILE).write_text(str(os.getpid()))
    assert supervisor_pid(state) is None
    assert run_cli("down", state).returncode == 0
    start_cli(state, "platform")


def test_two_ups_at_once_start_one(state: Path) -> None:
    line = [sys.executable, "-m", "localcloud", "up", "--state", str(state)]
    both = [
        subprocess.Popen([*line, *start_options(state, "platform")], cwd=ROOT) for _ in range(2)
    ]
    assert [process.wait() for process in both] == [0, 0]
    assert len([line for line in processes_of(state) if "localcloud.supervisor" in line]) == 1


@pytest.mark.soak
def test_a_part_that_does_not_start_is_reported_and_nothing_stays(state: Path) -> None:
    # There is no function_app.py.
    done = run_cli("up", state, *start_options(state, "functions"))
    assert done.returncode == 1
    assert "functions ends again and again" in done.stderr
    assert "function_app.py" in done.stderr
    assert processes_of(state) == []


@pytest.mark.soak
def test_a_process_that_outlived_its_parents_is_ended(state: Path) -> None:
    connection = start_cli(state, "platform")
    stray = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"],
        env={**os.environ, **base_environment(connection.state_dir)},
        start_new_session=True,
    )
    assert run_cli("down", state).returncode == 0
    assert stray.wait(5) == -signal.SIGKILL


def test_what_people_run_with_its_folder_in_their_environment_is_left_alone(state: Path) -> None:
    own = {**os.environ, "LOCALCLOUD_STATE": str(state)}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=own) as run:
        assert leftovers(state) == []
        run.communicate(b"\n")


@pytest.mark.soak
def test_parts_that_a_running_cloud_lacks_are_named(state: Path) -> None:
    start_cli(state, "platform")
    done = run_cli("up", state, *start_options(state))
    assert done.returncode == 1
    assert "started without storage" in done.stderr
    assert run_cli("status", state).returncode == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(["--parts", "storage,nothing"], "'nothing'", id="unknown part"),
        pytest.param(["--manifest", "absent.yaml"], "absent.yaml", id="no manifest"),
    ],
)
def test_wrong_options_are_named(state: Path, options: list[str], message: str) -> None:
    done = run_cli("up", state, *options, "--cache", str(CACHE))
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_written_outside_the_state_directory(state: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    line = [sys.executable, "-m", "localcloud", "up", "--state", str(state)]
    environment = {**os.environ, "HOME": str(home)}
    done = subprocess.run([*line, *start_options(state)], cwd=ROOT, env=environment)
    assert done.returncode == 0
    assert run_cli("down", state).returncode == 0
    assert list(home.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "manifest.yaml", "state"]


def test_connection_says_where_the_parts_are(state: Path) -> None:
    connection = start_cli(state, PARTS)
    assert connection == Connection.load(state)
    listening = {
        item.laddr.port
        for process in leftovers(state)
        for item in process.net_connections()
        if item.status == psutil.CONN_LISTEN
    }
    ports = connection.ports
    assert listening == {
        ports.azurite_blob,
        ports.azurite_queue,
        ports.azurite_table,
        ports.platform,
        ports.inbox,
    }
