"""Going back to an earlier release: by an emergency pin, and by git, without training again.

The release to go back to runs on an alternative instance type and is autoscaled.
"""

import ssl

import httpx2
import pytest
import yaml
from typer.testing import CliRunner

from tests.cloud import Cloud, config, some_rows
from tests.faults import Faults
from tuneops.cli import app

pytestmark = [pytest.mark.slow, pytest.mark.soak]

KEPT = {"keep_previous": 1}
FIRST, OTHER = "Standard_NC40ads_H100_v5", "Standard_NC24ads_A100_v4"
MACHINES = {
    "instance_type": FIRST,
    "alternative_instance_types": [OTHER],
    "autoscale": {"max": 2},
}
GOOD = config("back", rollout=KEPT, deployment=MACHINES)
WORSE = config("back", rollout=KEPT, deployment={**MACHINES, "instance_count": 2})
ROLLED_BACK = "release 2 was rolled back to release 1 by "


def tuneops(cloud: Cloud, *command: str) -> str:
    """What the command says; it succeeds."""
    done = CliRunner().invoke(app, [*command, "--state", str(cloud.state)])
    assert done.exit_code == 0, done.output
    return done.output


def state_of(cloud: Cloud, commit: str) -> str:
    """The newest status of the project's at a commit."""
    statuses = cloud.github(f"commits/{commit}/statuses")
    return next((str(s["state"]) for s in statuses if s["context"] == "tuneops/back"), "")


def deployments_begun(cloud: Cloud) -> int:
    """How often a deployment was created or changed in the workspace."""
    trusted = ssl.create_default_context(cafile=cloud.connection["ca_file"])
    asked = httpx2.get(f"{cloud.connection['azureml_url']}/_admin/requests", verify=trusted).json()
    begun = [name for name in asked if name.startswith("PUT ") and "/deployments/" in name]
    return sum(asked[name] for name in begun)


def autoscaled(cloud: Cloud, endpoint: str) -> set[str | None]:
    """The deployments of the endpoint that have autoscale settings."""
    targets = [str(each["properties"]["targetResourceUri"]) for each in cloud.autoscale_settings()]
    mine = [target for target in targets if f"/onlineEndpoints/{endpoint}/" in target]
    return {target.rpartition("/")[2] for target in mine}


def test_a_pin_goes_back_at_once_and_ends_when_git_agrees(cloud: Cloud) -> None:
    faults = Faults(cloud.connection)
    none_left = {"status": 400, "code": "OutOfQuota", "message": "None left."}
    faults.ask("call", "fail", "PUT /onlineEndpoints/back-*/deployments/*", times=2, **none_left)
    cloud.merge({"back.yaml": GOOD}, "Add back")
    cloud.upload("back/chats.jsonl", some_rows())
    first = cloud.until_phase("back", 1, "Live").release
    assert first is not None
    assert (first.instance_type, faults.struck) == (OTHER, 2)
    faults.close()
    instead = f"on {OTHER}, as there were no machines for {FIRST}"
    cloud.until("back", lambda _: instead in httpx2.get(cloud.connection["inbox_url"]).text)
    assert autoscaled(cloud, first.endpoint) == {first.deployment}
    worse = cloud.merge({"back.yaml": WORSE})
    second = cloud.until_phase("back", 2, "Live").release
    assert second is not None
    cloud.until("back", lambda seen: seen.live is not None and seen.live.number == 2)
    assert second.instance_type == FIRST
    assert autoscaled(cloud, first.endpoint) == {first.deployment, second.deployment}
    bad = {first.deployment: 0, second.deployment: 100}
    good = {first.deployment: 100, second.deployment: 0}
    assert cloud.traffic(second.endpoint) == bad

    refused = CliRunner().invoke(app, ["rollback", "back", "--to=9", f"--state={cloud.state}"])
    assert (refused.exit_code, "has no release 9" in refused.output) == (1, True)
    begun = deployments_begun(cloud)
    said = tuneops(cloud, "rollback", "back", "--pin", "--reason", "answers in French")
    assert "back is pinned to release 1 by " in said
    pinned = cloud.until_phase("back", 3, "Live")
    assert cloud.traffic(first.endpoint) == good
    assert deployments_begun(cloud) == begun
    assert pinned.pin is not None
    assert pinned.pin.reason == "answers in French"
    rejecting = cloud.until("back", lambda _: state_of(cloud, worse) == "failure")
    assert [why.startswith(ROLLED_BACK) for why in rejecting.rejected] == [True]

    commented = "# More.\n" + yaml.safe_dump(WORSE)
    cloud.merge({"back.yaml": commented, "note.txt": "Nothing of ours."})
    cloud.resync()
    held = cloud.status("back")
    assert held is not None
    assert held.release is not None
    assert (held.release.number, held.release.phase) == (3, "Live")
    assert f"finetune/back.yaml at {worse[:8]}" in held.reason

    # Unpinned while git still wants what was rolled back: it stays out.
    tuneops(cloud, "rollback", "back", "--unpin")
    cloud.until("back", lambda seen: seen.pin is None and seen.reason.startswith(ROLLED_BACK))
    cloud.merge({"note.txt": "Nothing of ours either."})
    cloud.resync()
    assert cloud.traffic(first.endpoint) == good

    tuneops(cloud, "rollback", "back", "--pin", "--to", "1")
    cloud.until("back", lambda seen: seen.pin is not None)
    opened = tuneops(cloud, "rollback", "back")
    assert "Nothing is trained" in opened
    assert "is open already" in tuneops(cloud, "rollback", "back")
    (pull,) = cloud.github("pulls?state=open&head=contoso:tuneops/rollback-back-1")
    assert pull["title"] == "Roll back back to release 1"
    files = cloud.github(f"pulls/{pull['number']}/files")
    assert [file["filename"] for file in files] == ["finetune/back.yaml"]
    merged = cloud.github(f"pulls/{pull['number']}/merge", {}, "PUT")
    agreed = cloud.until("back", lambda seen: seen.pin is None)
    assert agreed.release is not None
    assert (agreed.release.number, agreed.held_back) == (3, "")
    cloud.until("back", lambda _: state_of(cloud, merged["sha"]) == "success")

    # Rejected stays rejected, until somebody says otherwise.
    cloud.merge({"back.yaml": WORSE}, "Try it again")
    cloud.until("back", lambda seen: seen.held_back.startswith(ROLLED_BACK))
    cloud.resync()
    assert cloud.traffic(first.endpoint) == good
    assert "is tried again as release 4" in tuneops(cloud, "retry", "back")
    cloud.until_phase("back", 4, "Live")
    assert cloud.traffic(first.endpoint) == bad

    assert cloud.jobs("back") == [first.job]
    assert len(cloud.models("back")) == 1
    told = [title for title in cloud.messages("back") if title.endswith(("pinned", "any more"))]
    assert told[:2] == ["back: is pinned", "back: is not pinned any more"]
    # The look in an hour would keep other tests from finding the queue empty.
    cloud.queue.clear_messages()
