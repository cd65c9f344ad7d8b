"""Going back to an earlier release: by an emergency pin, and by git, without training again."""

import ssl

import httpx2
import pytest
import yaml
from typer.testing import CliRunner

from tests.cloud import Cloud, config, some_rows
from tuneops.cli import app

pytestmark = pytest.mark.slow

KEPT = {"keep_previous": 1}
GOOD = config("back", rollout=KEPT)
WORSE = config("back", rollout=KEPT, deployment={"instance_count": 2})
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


def test_a_pin_goes_back_at_once_and_ends_when_git_agrees(cloud: Cloud) -> None:
    cloud.merge({"back.yaml": GOOD}, "Add back")
    cloud.upload("back/chats.jsonl", some_rows())
    first = cloud.until_phase("back", 1, "Live").release
    assert first is not None
    worse = cloud.merge({"back.yaml": WORSE})
    second = cloud.until_phase("back", 2, "Live").release
    assert second is not None
    cloud.until("back", lambda seen: seen.live is not None and seen.live.number == 2)
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
