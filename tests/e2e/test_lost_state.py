"""What docs/operations.md says of a state that is lost."""

import pytest

from tests.cloud import Cloud, config, some_rows

pytestmark = [pytest.mark.slow, pytest.mark.soak]


def test_what_runs_is_adopted_and_nothing_is_trained_twice(cloud: Cloud) -> None:
    cloud.merge({"lost.yaml": config("lost")})
    cloud.upload("lost/chats.jsonl", some_rows())
    live = cloud.until_phase("lost", 1, "Live").release
    assert live is not None
    cloud.until_idle()

    state = cloud.blobs.get_container_client("tuneops")
    ours = ("projects/lost.", "desired/lost.", "releases/lost/", "mailboxes/lost/", "repository.")
    gone = [name for name in state.list_blob_names() if name.startswith(ours)]
    assert len(gone) > 4
    for name in gone:
        state.delete_blob(name)

    cloud.resync()
    again = cloud.until_phase("lost", 1, "Live").release
    assert again is not None
    assert (again.job, again.endpoint, again.deployment) == (
        live.job,
        live.endpoint,
        live.deployment,
    )
    assert cloud.jobs("lost") == [live.job]
    assert len(cloud.models("lost")) == 1
    assert cloud.traffic(live.endpoint) == {live.deployment: 100}
