"""Child processes end with their parent; ports are free."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest
from small_cloud import ROOT, until

from localcloud.process import (
    LOOPBACK,
    PORTS,
    PortsError,
    free_ports,
    port_answers,
    start_child,
    stop_group,
)

CHILD = "from localcloud.process import exit_with_parent; exit_with_parent();"
SLEEP = "import time; time.sleep(60)"
# Starts a child that would live for a minute, prints its process id, and waits.
PARENT = f"""
import sys, time
from localcloud.process import start_child
child = start_child([sys.executable, "-c", "{CHILD} {SLEEP}"])
print(child.pid, flush=True)
time.sleep(60)
"""


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_ends_with_its_parent(number: signal.Signals) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    child = int(parent.stdout.readline())
    assert is_alive(child)
    parent.send_signal(number)
    parent.wait()
    until(lambda: not is_alive(child), 5)
    parent.stdout.close()


def test_stopping_a_group_reaches_grandchildren_and_the_deaf(tmp_path: Path) -> None:
    script = f"""
        import signal, subprocess, sys
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"
        print(subprocess.Popen([sys.executable, "-c", deaf]).pid, flush=True)
        {SLEEP}
    """
    log = tmp_path / "log"
    child = start_child(
        [sys.executable, "-c", textwrap.dedent(script)], log_file=log, own_group=True
    )
    grandchild = int(until(lambda: log.exists() and log.read_text().strip()))
    stop_group(child, seconds=0.3)
    assert child.returncode == -signal.SIGKILL
    until(lambda: not is_alive(grandchild), 5)


def test_a_process_that_gives_way_weighs_least_as_a_whole_session(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = f"""
        import os
        from localcloud.process import give_way
        give_way()
        print(os.getpriority(os.PRIO_PROCESS, 0), flush=True)
        {SLEEP}
    """
    child = start_child(
        [sys.executable, "-c", textwrap.dedent(script)],
        log_file=log,
        directory=ROOT,
        own_group=True,
    )
    try:
        assert until(lambda: log.exists() and log.read_text().split()) == ["19"]
        if (weight := Path(f"/proc/{child.pid}/autogroup")).exists():
            assert weight.read_text().split()[-1] == "19"
    finally:
        stop_group(child)


def test_a_child_gets_the_environment_and_the_folder(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = "import os; print(os.environ['GREETING'], os.getcwd())"
    child = start_child(
        [sys.executable, "-c", script],
        log_file=log,
        environment={"GREETING": "hello"},
        directory=tmp_path,
    )
    assert child.wait() == 0
    assert log.read_text().split() == ["hello", os.path.realpath(tmp_path)]


def test_preferred_ports_are_kept_while_they_are_free() -> None:
    first = free_ports(["a", "b"])
    assert len(set(first.values())) == 2
    assert free_ports(["a", "b"], first) == first
    with socket.create_server((LOOPBACK, first["a"])):
        assert port_answers(first["a"])
        second = free_ports(["a", "b"], first)
    assert second["a"] != first["a"]
    assert second["b"] == first["b"]
    assert not port_answers(first["a"])


def test_two_names_with_the_same_preferred_port_get_two_ports() -> None:
    [port] = free_ports(["a"]).values()
    assert len(set(free_ports(["a", "b"], {"a": port, "b": port}).values())) == 2


def test_ports_are_chosen_from_the_range_that_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    [first] = free_ports(["a"]).values()
    monkeypatch.setenv(PORTS, f"{first}-{first}")
    assert free_ports(["a"]) == {"a": first}
    with (
        socket.create_server((LOOPBACK, first)),
        pytest.raises(PortsError, match=f"no port of {first} to {first} is free for a"),
    ):
        free_ports(["a"])


@pytest.mark.parametrize("said", ["many", "20000", "2-1", "0-9", "-5", "20000-65536", "1-2-3"])
def test_a_range_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv(PORTS, said)
    with pytest.raises(PortsError, match="not of the form '20000-23999'"):
        free_ports(["a"])


def test_what_leads_to_another_cloud_is_not_inherited(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "elsewhere")
    monkeypatch.setenv("ARM_CLOUD_METADATA_URL", "https://elsewhere.example")
    monkeypatch.setenv("OURS", "kept")
    log = tmp_path / "log"
    names = ["AZUREML_CURRENT_CLOUD", "ARM_CLOUD_METADATA_URL", "OURS", "SSL_CERT_FILE"]
    script = f"import os; print(*(os.environ.get(name) for name in {names}))"
    child = start_child(
        [sys.executable, "-c", script], log_file=log, environment={"SSL_CERT_FILE": "given"}
    )
    assert child.wait(30) == 0
    assert log.read_text().split() == ["None", "None", "kept", "given"]
