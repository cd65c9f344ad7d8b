"""Documents, ETags and leases against Azurite."""

import threading
import time
from typing import TYPE_CHECKING

import pytest

from tuneops.project import Project
from tuneops.services import Services
from tuneops.store import LEASE_SECONDS, BusyError, ConflictError, Store, UnreadableError

if TYPE_CHECKING:
    pass


@pytest.fixture
def store(services: Services) -> Store:
    return services.store


def test_a_document_comes_back_as_it_was_written(store: Store) -> None:
    written = store.write("a/one.json", Project(name="one", current=3), etag=None)
    assert store.read("a/one.json", Project) == written
    assert store.read("a/none.json", Project) is None


@pytest.mark.parametrize(
    ("stored", "complaint"),
    [
        (b'{"name": "x", "current": "s3cret"}', "a/odd.json, current: Input should be a valid int"),
        (b'{"name": "x", ', "a/odd.json: Invalid JSON"),
        (b"", "a/odd.json: Invalid JSON"),
        (b"\xff\xfe", "a/odd.json: Invalid JSON"),
    ],
)
def test_an_unreadable_document_says_where_it_is_and_can_be_written_anew(
    store: Store, services: Services, stored: bytes, complaint: str
) -> None:
    container = services.blobs.get_container_client(services.settings.state_container)
    container.upload_blob("a/odd.json", stored)
    with pytest.raises(UnreadableError) as caught:
        store.read("a/odd.json", Project)
    assert complaint in str(caught.value)
    assert "s3cret" not in str(caught.value)
    store.update("a/odd.json", Project, lambda seen: seen or Project(name="x", current=1))
    assert store.read("a/odd.json", Project)


def test_only_one_of_two_writers_wins(store: Store) -> None:
    first = store.write("a/race.json", Project(name="race"), etag=None)
    store.write("a/race.json", Project(name="race", current=1), first.etag)
    with pytest.raises(ConflictError):
        store.write("a/race.json", Project(name="race", current=2), first.etag)
    with pytest.raises(ConflictError):
        store.write("a/race.json", Project(name="race"), etag=None)


def test_update_loses_no_change_of_many_writers(store: Store) -> None:
    def add_one() -> None:
        for _ in range(5):
            store.update(
                "a/counter.json",
                Project,
                lambda seen: Project(
                    name="counter", current=(seen.current or 0) + 1 if seen else 1
                ),
            )

    threads = [threading.Thread(target=add_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counter = store.read("a/counter.json", Project)
    assert counter is not None
    assert counter.value.current == 20


def test_a_lease_keeps_others_out_and_its_document_from_being_written(store: Store) -> None:
    initial = Project(name="held")
    with store.lease("a/held.json", initial) as lease:
        stored = store.read("a/held.json", Project)
        assert stored is not None
        assert stored.value == initial
        with pytest.raises(BusyError), store.lease("a/held.json", initial):
            pass
        with pytest.raises(ConflictError):
            store.write("a/held.json", initial.replace(current=1), stored.etag)
        store.write("a/held.json", initial.replace(current=2), stored.etag, lease)
    with store.lease("a/held.json", initial):
        pass


@pytest.mark.slow
@pytest.mark.soak
def test_a_lease_lasts_as_long_as_its_holder_works(store: Store) -> None:
    with store.lease("a/long.json", Project(name="long")):
        time.sleep(LEASE_SECONDS + 2)
        with pytest.raises(BusyError), store.lease("a/long.json", Project(name="long")):
            pass


def test_paths_are_listed_by_prefix(store: Store) -> None:
    for name in ("p/b.json", "p/a.json", "q/c.json"):
        store.write(name, Project(name="x"), etag=None)
    assert list(store.paths("p/")) == ["p/a.json", "p/b.json"]


def test_a_kept_document_is_sent_again_when_it_has_changed(store: Store) -> None:
    assert store.read_kept("a/kept.json", Project) is None
    first = store.write("a/kept.json", Project(name="kept"), etag=None)
    kept = store.read_kept("a/kept.json", Project)
    assert kept == first
    assert store.read_kept("a/kept.json", Project) is kept, "it is the one that was read before"
    second = store.write("a/kept.json", Project(name="kept", current=2), first.etag)
    assert store.read_kept("a/kept.json", Project) == second
    store.delete("a/kept.json")
    assert store.read_kept("a/kept.json", Project) is None
