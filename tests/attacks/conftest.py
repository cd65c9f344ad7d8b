"""What is attacked: a project with releases, behind the local Functions host."""

import os
from collections.abc import Iterator

import pytest

from tests.attacks.site import EVENT_GRID_KEY, KEY, Site
from tests.cloud import ROOT
from tests.conftest import _services
from tests.served import functions
from tests.test_rollback import LARGE, git_of, made
from tuneops import documents
from tuneops.gitops.repository import FileState, Repository
from tuneops.project import Project
from tuneops.release import Phase
from tuneops.services import Services


@pytest.fixture(scope="module")
def victim(storage: str) -> Services:
    """The project bot, whose second release is live, and whose data lies in `chats/`.

    Nothing that is done to it may leave a trace, so all of a file's attacks are on the same one.
    """
    made_of = _services(storage, subscription_id="s", resource_group="g", workspace="w")
    store = made_of.store
    files = {"finetune/bot.yaml": FileState(sha="s", project="bot", data_path="chats/")}
    store.write(documents.repository(""), Repository(files=files), None)
    store.write(documents.desired("bot"), git_of(LARGE).replace(source=None), None)
    store.write(documents.project("bot"), Project(name="bot", current=2, live=2), None)
    store.write(documents.release("bot", 1), made(1), None)
    store.write(documents.release("bot", 2), made(2, LARGE, phase=Phase.LIVE), None)
    return made_of


@pytest.fixture(scope="module")
def site(
    victim: Services, storage: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The app in the local Functions host, as it stands in front of that project."""
    import function_app
    from localcloud.functions.app import read_functions
    from localcloud.functions.host_config import load_host_config
    from localcloud.functions.keys import Keys
    from localcloud.functions.site import Host

    settings = {**os.environ, "AzureWebJobsStorage": storage}
    declared = read_functions(functions(), ROOT, settings)
    timers = tmp_path_factory.mktemp("host") / "timers.json"
    keys = Keys(KEY, EVENT_GRID_KEY)
    host = Host(declared, load_host_config(ROOT, settings), keys, settings, timers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(function_app, "get_services", lambda: victim)
        patch.delenv("WEBSITE_AUTH_ENABLED", raising=False)
        patch.setenv("TUNEOPS_PAGE_URL", "http://127.0.0.1:7071")
        yield Site(host, victim)
