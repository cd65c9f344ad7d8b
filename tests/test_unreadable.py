"""A document of one environment that can't be read stops no other."""

from types import SimpleNamespace
from typing import Any

import pytest

from tuneops import documents, resync
from tuneops.data import folders
from tuneops.gitops.repository import FileState, Repository
from tuneops.sources import ConfigSource
from tuneops.status import read_status
from tuneops.store import Listed, Stored, UnreadableError

FILES = {"finetune/bot.yaml": FileState(sha="s", project="good.bot", data_path="bot/")}


@pytest.fixture
def services() -> Any:
    """Two environments, of which one has been read by nobody knows what."""

    def read(path: str, kind: type) -> Any:
        if path == documents.repository("bad"):
            raise UnreadableError("repositories/bad.json: Field required", "e")
        if path == documents.repository("good"):
            return Stored(Repository(environment="good", commit="c", files=FILES), "e")
        return None

    listed = [Listed(documents.desired(name), "e") for name in ("bad.bot", "good.bot")]
    store = SimpleNamespace(
        read=read,
        listed=lambda prefix: listed if prefix == documents.DESIRED else [],
        paths=lambda prefix: [each.path for each in listed],
    )
    sources = [
        ConfigSource(environment=name, repository="contoso/models", branch=name)
        for name in ("bad", "good")
    ]
    settings = SimpleNamespace(config_sources=sources, datasets_container="datasets")
    settings.source = lambda name: next(each for each in sources if each.environment == name)
    return SimpleNamespace(
        store=store, settings=settings, blobs=None, release=lambda name, number: None
    )


def test_the_resync_goes_on(services: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lie: dict[str, str] = {}
    monkeypatch.setattr(folders, "digests", lambda *_: lie)
    before = resync._wanted(services)
    assert set(before) == {"bad.bot", "good.bot"}
    lie["bot/"] = "more"
    after = resync._wanted(services)
    assert [name for name in after if after[name] != before[name]] == ["good.bot"]


def test_the_status_says_what_is_wrong(services: Any) -> None:
    status = read_status(services)
    assert [source.commit for source in status.sources] == ["", "c"]
    assert status.config_errors == ["bad: repositories/bad.json: Field required"]
    assert [project.name for project in status.projects] == ["bad.bot", "good.bot"]
