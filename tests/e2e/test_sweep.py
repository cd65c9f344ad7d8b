"""A worker that acts after all was over leaves an endpoint; it is swept away, and brought back."""

import json
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from tests.cloud import Cloud, config, some_rows
from tests.e2e.conftest import SOURCES
from tests.inventory import check_inventory
from tests.planned import until
from tuneops.azureml import endpoints
from tuneops.cli import app
from tuneops.cli.target import local_workspace, use_local_identity
from tuneops.observed import Endpoint
from tuneops.queue import SweepRequest
from tuneops.release import Release
from tuneops.services import Services
from tuneops.settings import Settings
from tuneops.sources import ConfigSource
from tuneops.sweep.sweeper import sweep_workspace
from tuneops.sweep.view import SweepView

pytestmark = [pytest.mark.slow, pytest.mark.soak]
DAYS = [timedelta(days=day) for day in range(5)]
"""On the first day the smoke test is seen to have used the endpoint; then comes the grace."""


def beside(cloud: Cloud) -> Services:
    """What the cloud's own TuneOps works with, for one that sweeps at other times."""
    github = cloud.connection["github"]
    return Services(
        Settings(
            **local_workspace(cloud.connection).model_dump(),
            storage_connection_string=cloud.connection["storage"]["connection_string"],
            github_api_url=github["api_url"],
            github_token=github["token"],
            github_webhook_secret="secret",
            sources=tuple(ConfigSource.model_validate(source) for source in SOURCES),
            notify_urls=[SecretStr(cloud.connection["inbox_url"].replace("http:", "json:"))],
            metrics_delay_seconds=0,
        )
    )


def make_again(services: Services, release: Release) -> None:
    """Do once more what makes the release serve, as a worker that slept through its end."""
    workspace = services.workspace

    def seen() -> Endpoint | None:
        return endpoints.observe(workspace, release.endpoint, release.project)

    def ready() -> bool:
        found = seen()
        deployment = found.deployment(release.deployment_name) if found else None
        return deployment is not None and deployment.state == "Succeeded"

    endpoints.begin_create(workspace, release)
    until(lambda: (found := seen()) is not None and not found.changing)
    endpoints.begin_deploy(workspace, release)
    until(ready, 180)
    endpoints.begin_shift(workspace, release.endpoint, release.deployment_name)
    until(lambda: (found := seen()) is not None and not found.changing)


def sweep_for_days(cloud: Cloud, services: Services) -> None:
    now = datetime.now(UTC)
    for later in DAYS:
        sweep_workspace(SweepRequest(), services, lambda at=now + later: at)
        cloud.until_told()


def tuneops(cloud: Cloud, *command: str) -> str:
    done = CliRunner().invoke(app, [*command, "--state", str(cloud.state)])
    assert done.exit_code == 0, done.output
    return done.output


def titles(cloud: Cloud) -> list[str]:
    cloud.until_told()
    told = httpx2.get(cloud.connection["inbox_url"]).json()
    return [str(item["body"]["title"]) for item in told]


def test_what_was_made_too_late_is_swept_away_and_can_come_back(cloud: Cloud) -> None:
    cloud.merge({"late-comer.yaml": config("late-comer")})
    cloud.upload("late-comer/chats.jsonl", some_rows())
    cloud.until_phase("late-comer", 1, "Live", seconds=300)
    check_inventory(cloud, "late-comer")
    cloud.merge({"late-comer.yaml": None})
    cloud.until("late-comer", lambda seen: seen.phase == "Retired", seconds=240)
    check_inventory(cloud, "late-comer")

    use_local_identity(cloud.connection)
    services = beside(cloud)
    stored = services.release("late-comer", 1)
    assert stored
    release = stored.value
    make_again(services, release)
    cloud.resync()
    assert cloud.traffic(release.endpoint) == {release.deployment_name: 100}

    sweep_for_days(cloud, services)
    until(lambda: cloud.traffic(release.endpoint) is None, 60)
    sweep_workspace(SweepRequest(), services)
    check_inventory(cloud, "late-comer")
    swept = f"endpoint {release.endpoint}"
    assert f"sweep: {swept} of late-comer was deleted" in titles(cloud)

    shown = SweepView.model_validate_json(tuneops(cloud, "sweep", "--dry-run", "--json"))
    kept = {each.project: each for each in shown.workspaces[0].kept}
    assert kept["late-comer"].models == ["late-comer"]
    assert kept["late-comer"].data == ["late-comer-train", "late-comer-test"]
    (gone,) = (each for each in shown.swept if each.label == swept)
    assert "is being brought back" in tuneops(cloud, "restore", gone.id, "--reason", "a demo")
    until(lambda: f"restore: {swept} of late-comer was restored" in titles(cloud), 240)
    assert cloud.traffic(release.endpoint) == {release.deployment_name: 100}
    endpoint = cloud.ml.online_endpoints.get(release.endpoint)
    assert "a demo" in endpoint.tags["tuneops.keep"]
    key = cloud.ml.online_endpoints.get_keys(release.endpoint).primary_key
    answer = httpx2.post(
        endpoint.scoring_uri,
        json=json.loads(cloud_question(release)),
        headers={"authorization": f"Bearer {key}"},
        verify=False,
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    sweep_for_days(cloud, services)
    assert cloud.traffic(release.endpoint) == {release.deployment_name: 100}
    cloud.ml.online_endpoints.begin_delete(release.endpoint).result()


def cloud_question(release: Release) -> str:
    """What the smoke test asked."""
    return release.smoke.answers[0].request
