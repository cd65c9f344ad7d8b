"""What a look does not ask Azure for: what it knows, and what nobody waits for."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from tuneops.azureml import transport
from tuneops.azureml.transport import Memory, NobodyWaitsError, afresh, one_look, shared, whether

WORKSPACE = "https://arm/subscriptions/s/workspaces/w"
ENDPOINT = f"{WORKSPACE}/onlineEndpoints/e"
OLD, NEW = "api-version=2022-02-01-preview", "api-version=2023-04-01-preview"


class Azure:
    """Answers with a number that grows, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200

    def get(self, memory: Memory, url: str) -> int:
        """What the memory or Azure says."""

        def send() -> Any:
            self.asked.append(url)
            return SimpleNamespace(status_code=self.status, number=len(self.asked))

        return int(memory.get(url, send).number)


@pytest.fixture
def azure() -> Azure:
    return Azure()


@pytest.fixture
def memory() -> Memory:
    return Memory(Memory())


def test_what_was_read_is_known_until_something_is_written(azure: Azure, memory: Memory) -> None:
    url = f"{ENDPOINT}?{NEW}"
    assert [azure.get(memory, url) for _ in range(3)] == [1, 1, 1]
    memory.change("POST", f"{ENDPOINT}/listKeys?{NEW}")
    memory.change("GET", f"{ENDPOINT}?{NEW}")
    assert azure.get(memory, url) == 1
    for number, method in enumerate(("PUT", "DELETE", "PATCH", "POST"), 2):
        memory.change(method, f"{ENDPOINT}/deployments/d")
        assert azure.get(memory, url) == number


def test_what_is_written_leaves_what_is_of_another_kind(azure: Azure, memory: Memory) -> None:
    urls = [f"{WORKSPACE}/jobs/j?{NEW}", f"{ENDPOINT}?{NEW}", f"https://arm/usages?{NEW}"]
    assert [azure.get(memory, url) for url in urls] == [1, 2, 3]
    memory.change("PUT", f"{ENDPOINT}/deployments/d?{NEW}")
    assert [azure.get(memory, url) for url in urls] == [1, 4, 5]
    memory.change("PUT", "https://arm/autoscalesettings/a")
    assert [azure.get(memory, url) for url in urls] == [6, 7, 8]


def test_what_is_to_be_written_back_is_read_afresh(azure: Azure, memory: Memory) -> None:
    urls = [f"{ENDPOINT}?{NEW}", f"{ENDPOINT}/deployments?{NEW}"]
    assert [azure.get(memory, url) for url in urls] == [1, 2]
    with afresh():
        assert [azure.get(memory, url) for url in urls] == [3, 2]
    assert [azure.get(memory, url) for url in urls] == [3, 2]


def test_whether_something_is_there_is_known_at_any_version(azure: Azure, memory: Memory) -> None:
    assert azure.get(memory, f"{ENDPOINT}?{OLD}") == 1
    with whether():
        assert azure.get(memory, f"{ENDPOINT}?{NEW}") == 1
        assert azure.get(memory, f"{WORKSPACE}/onlineEndpoints/other?{NEW}") == 2
    assert azure.get(memory, f"{ENDPOINT}?{NEW}") == 3


@pytest.mark.parametrize(("status", "asked"), [(200, 1), (404, 1), (403, 2), (429, 2), (500, 2)])
def test_a_refusal_is_not_remembered(azure: Azure, memory: Memory, status: int, asked: int) -> None:
    azure.status = status
    for _ in range(2):
        azure.get(memory, f"{ENDPOINT}?{NEW}")
    assert len(azure.asked) == asked


def test_an_older_version_is_answered_by_a_newer_for_deployments_alone(
    azure: Azure, memory: Memory
) -> None:
    listed = f"{ENDPOINT}/deployments"
    assert [azure.get(memory, f"{listed}?{v}") for v in (OLD, NEW, OLD, NEW)] == [1, 2, 2, 2]
    assert azure.get(memory, f"{listed}?{NEW}&$skip=2") == 3
    assert [azure.get(memory, f"{ENDPOINT}?{v}") for v in (NEW, OLD, NEW)] == [4, 5, 4]


def test_an_answer_counts_for_seconds_and_one_about_the_workspace_for_minutes(
    azure: Azure, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, steady = [0.0], Memory()
    monkeypatch.setattr(transport, "monotonic", lambda: clock[0])
    memory = Memory(steady)
    urls = f"{ENDPOINT}?{NEW}", f"{WORKSPACE}?{NEW}"
    for now, known in ((0.0, [1, 2]), (2.0, [1, 2]), (4.0, [3, 2]), (601.0, [4, 5])):
        clock[0] = now
        assert [azure.get(memory, url) for url in urls] == known
    assert azure.get(Memory(steady), urls[1]) == 5
    assert azure.get(Memory(steady), urls[0]) == 6


def test_outside_of_a_look_nothing_is_known_and_looks_share_nothing() -> None:
    assert transport._memory.get() is None
    with one_look():
        first = transport._memory.get()
        assert first is not None
    with one_look():
        assert transport._memory.get() not in (None, first)
    assert transport._memory.get() is None


def test_the_end_of_an_operation_is_not_polled() -> None:
    said: list[Exception] = []

    def poll() -> None:
        try:
            shared().send(None)
        except NobodyWaitsError as error:
            said.append(error)

    thread = threading.Thread(target=poll, name="LROPoller(1)")
    thread.start()
    thread.join()
    assert len(said) == 1
