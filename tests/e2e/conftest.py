"""Fixtures: one local cloud for all of these tests, until the last of them has ended."""

import json
import os
from collections.abc import Iterator

import pytest
import yaml

from tests.cloud import ROOT, Cloud
from tests.collector import Collector, collecting
from tests.granted import Roles

SOURCES = [
    {"environment": "", "repository": "contoso/models"},
    {"environment": "production", "repository": "contoso/models", "configs": "both/**"},
    {
        "environment": "staging",
        "repository": "contoso/models",
        "branch": "staging",
        "configs": "both/**",
    },
]
"""A repository as most have it, and one folder of it with an environment for each branch."""
LARGE_BYTES = 20_000
"""Above this a job prepares the data."""


@pytest.fixture(scope="package")
def collector() -> Iterator[Collector]:
    """Where the telemetry of that cloud's TuneOps goes to."""
    with collecting() as listening:
        yield listening


@pytest.fixture(scope="package")
def cloud(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Cloud]:
    """A local cloud with TuneOps in it, which looks after `SOURCES`."""
    state = tmp_path_factory.mktemp("cloud")
    manifest = yaml.safe_load((ROOT / "infra" / "local.yaml").read_text())
    settings = manifest["app_settings"]
    del settings["TUNEOPS_GITHUB_REPOSITORY"], settings["TUNEOPS_GITHUB_BRANCH"]
    settings["TUNEOPS_SOURCES"] = json.dumps(SOURCES)
    settings["TUNEOPS_MAX_UPLOAD_BYTES"] = str(LARGE_BYTES)
    settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.endpoint
    settings |= {"OTEL_BSP_SCHEDULE_DELAY": "1000", "OTEL_METRIC_EXPORT_INTERVAL": "5000"}
    (state / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    running, before = Cloud(state), dict(os.environ)
    running.up("--manifest", str(state / "manifest.yaml"))
    running.branch("staging")
    yield running
    unknown = Roles(running.connection).unknown_calls()
    running.down()
    os.environ.clear()
    os.environ.update(before)
    assert unknown == [], "TuneOps did what tuneops/permissions does not have"
