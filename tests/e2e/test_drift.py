"""What people change in Azure of what is live: brought back, or reported, as the config says."""

from typing import Any

import httpx2
import pytest
from azure.ai.ml import MLClient
from azure.ai.ml.constants import ListViewType

from tests.cloud import Cloud, config, some_rows
from tests.inventory import check_inventory
from tuneops.difference import Answer
from tuneops.status import ProjectStatus, ReleaseStatus

pytestmark = [pytest.mark.slow, pytest.mark.soak]
ADA = "ada@contoso.example"


def set_config(cloud: Cloud, **sections: Any) -> None:
    cloud.merge({"drifts.yaml": config("drifts", **sections)})


def suspend(cloud: Cloud) -> None:
    """Let TuneOps see all that is changed at once."""
    set_config(cloud, suspend=True)
    cloud.until("drifts", lambda seen: "suspended" in seen.reason)


def live(seen: ProjectStatus) -> ReleaseStatus:
    assert seen.release is not None
    return seen.release


def reported(seen: ProjectStatus) -> bool:
    drift = live(seen).drift
    return drift is not None and drift.answer == Answer.REPORTED


def whole(seen: ProjectStatus) -> bool:
    release = live(seen)
    return release.phase == "Live" and release.drift is None and "as it should" in release.reason


def told(cloud: Cloud) -> list[str]:
    """What people were told of drift, in order; a channel parts what could be a mention."""
    cloud.until_told("drifts")
    inbox = httpx2.get(cloud.connection["inbox_url"]).json()
    return [
        str(item["body"]["message"]).replace("\u200b", "")
        for item in inbox
        if item["body"]["title"] == "drifts: release 1 has drifted"
    ]


def meddle(ml: MLClient, release: ReleaseStatus, version: str) -> None:
    """Begin to change what can be changed without deleting anything."""
    deployment = ml.online_deployments.get(release.deployment, release.endpoint)
    kept = {name: deployment.tags[name] for name in ("tuneops.project", "tuneops.release")}
    deployment.instance_count, deployment.tags = 3, {"by": "hand", **kept}
    ml.online_deployments.begin_create_or_update(deployment)
    endpoint = ml.online_endpoints.get(release.endpoint)
    endpoint.traffic, endpoint.tags = {release.deployment: 0}, {"by": "hand"}
    ml.online_endpoints.begin_create_or_update(endpoint)
    ml.models.archive("drifts", version=version)


def test_drift_is_reported_or_healed_and_told_once_with_who(cloud: Cloud) -> None:
    set_config(cloud)
    cloud.upload("drifts/chats.jsonl", some_rows())
    release = live(cloud.until_phase("drifts", 1, "Live"))
    (version,) = cloud.models("drifts")
    serving = {release.deployment: 100}

    suspend(cloud)
    meddle(cloud.ml_as(ADA), release, version)
    set_config(cloud, drift="report")
    drift = live(cloud.until("drifts", reported)).drift
    assert drift is not None
    differs = [str(difference) for difference in drift.differences]
    lost = ("tuneops.project", "tuneops.release", "tuneops.commit")
    assert differs == [
        f"traffic is none instead of {release.deployment} 100%",
        *(f"tag {tag} of endpoint {release.endpoint} is missing" for tag in lost),
        "deployment.instance_count is 3 instead of 1",
        f"tag tuneops.commit of deployment {release.deployment} is missing",
        f"model drifts:{version} is archived",
    ]
    for what, change in zip(("endpoint", "deployment", "model"), drift.changes, strict=True):
        assert change.startswith(f"{what} changed by {ADA} at ")
    assert cloud.traffic(release.endpoint) == {release.deployment: 0}
    assert len(told(cloud)) == 1
    assert told(cloud)[0].startswith("; ".join(differs))
    assert ": it is left as it is" in told(cloud)[0]

    set_config(cloud)
    cloud.until("drifts", whole)
    assert len(told(cloud)) == 2
    assert ADA in told(cloud)[1]
    assert ": it is being brought back" in told(cloud)[1]
    assert cloud.traffic(release.endpoint) == serving
    endpoint = cloud.ml.online_endpoints.get(release.endpoint)
    deployment = cloud.ml.online_deployments.get(release.deployment, release.endpoint)
    for found in (endpoint.tags, deployment.tags):
        assert found.items() >= {"tuneops.project": "drifts", "by": "hand"}.items()
    assert deployment.instance_count == 1
    archived = cloud.ml.models.list(name="drifts", list_view_type=ListViewType.ARCHIVED_ONLY)
    assert list(archived) == []

    suspend(cloud)
    cloud.ml_as(ADA).online_endpoints.begin_delete(release.endpoint)
    set_config(cloud, drift="report")
    seen = cloud.until("drifts", reported)
    assert f"endpoint {release.endpoint} is gone (endpoint deleted by {ADA}" in seen.reason
    cloud.until_idle()
    assert cloud.traffic(release.endpoint) is None

    set_config(cloud)
    cloud.until("drifts", lambda seen: whole(seen) and cloud.traffic(release.endpoint) == serving)
    assert len(told(cloud)) == 4
    assert cloud.jobs("drifts") == [release.job]
    assert cloud.models("drifts") == [version]
    check_inventory(cloud, "drifts")
