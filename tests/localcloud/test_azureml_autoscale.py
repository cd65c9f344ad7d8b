"""Autoscale settings of Azure Monitor: what is taken, and what they make of deployments."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from azureml_server import make_connection, workspace_path

from localcloud.azureml.autoscale import KIND, Autoscale
from localcloud.azureml.autoscale_resource import autoscale_resource
from localcloud.azureml.deployments import DEPLOYMENTS
from localcloud.azureml.events import Outbox
from localcloud.azureml.lifecycle import Lifecycle
from localcloud.azureml.quota import Quota
from localcloud.azureml.runs import Runs
from localcloud.azureml.scored import Scored
from localcloud.azureml.site import Site
from localcloud.azureml.store import Store
from localcloud.connection import Connection

MINUTE = 60
NOW = 1_800_000_000.0


def setting(target: str, **capacity: str) -> dict[str, Any]:
    """A PUT: one to four instances, one more above 10 requests a minute, one less below 2."""
    endpoint = target.partition("/deployments/")[0]

    def rule(operator: str, threshold: int, direction: str) -> dict[str, Any]:
        trigger = {
            "metricName": "RequestsPerMinute",
            "metricResourceUri": endpoint,
            "timeGrain": "PT1M",
            "statistic": "Average",
            "timeWindow": "PT5M",
            "timeAggregation": "Average",
            "operator": operator,
            "threshold": threshold,
        }
        action = {"direction": direction, "type": "ChangeCount", "value": "1", "cooldown": "PT5M"}
        return {"metricTrigger": trigger, "scaleAction": action}

    profile = {
        "name": "p",
        "capacity": {"minimum": "1", "maximum": "4", "default": "1"} | capacity,
        "rules": [rule("LessThan", 2, "Decrease"), rule("GreaterThan", 10, "Increase")],
    }
    properties = {"enabled": True, "targetResourceUri": target, "profiles": [profile]}
    return {"location": "eastus", "tags": {"a": "b"}, "properties": properties}


class World:
    """Autoscale over a store with one deployment that is ready."""

    def __init__(self, folder: Path, connection: Connection) -> None:
        self.site = site = Site(connection)
        self.store = store = Store(folder / "workspace.sqlite")
        self.scored = Scored(store)
        lifecycle = Lifecycle(site, store, Runs(store), Outbox(site, store))
        quota = Quota(site, store, lifecycle, {"standardDSv2Family": 24})
        self.autoscale = Autoscale(site, store, quota, self.scored)
        self.target = f"{site.workspace_path}/onlineEndpoints/chat/deployments/blue"
        resource = {
            "id": self.target,
            "sku": {"capacity": 1},
            "properties": {"provisioningState": "Succeeded", "instanceType": "Standard_DS3_v2"},
        }
        serving = {"instanceType": "Standard_DS3_v2", "capacity": 1}
        record = {"resource": resource, "submitted": {"sku": {"capacity": 1}}, "serving": serving}
        store.put(DEPLOYMENTS, "chat/blue", record)

    def set(self, **capacity: str) -> None:
        body = setting(self.target, **capacity)
        self.store.put(KIND, "s", autoscale_resource(self.site.group_path, "s", body))

    def asked(self, at: float, requests: int) -> None:
        """So many requests in a minute."""
        for _ in range(requests):
            self.scored._open("chat", "blue", int(at) // MINUTE * MINUTE).add(200, "", 5.0)

    def count_at(self, now: float) -> int:
        """The instances after a look."""
        self.autoscale.evaluate(now)
        record = self.store.get(DEPLOYMENTS, "chat/blue")
        assert record is not None
        counts = {
            record["resource"]["sku"]["capacity"],
            record["submitted"]["sku"]["capacity"],
            record["serving"]["capacity"],
        }
        (count,) = counts
        return int(count)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, make_connection(tmp_path))
    yield made
    made.store.close()


def test_instances_follow_the_requests_with_rests_in_between(world: World) -> None:
    world.set()
    for minute in range(1, 6):
        world.asked(NOW - minute * MINUTE, 20)
    assert world.count_at(NOW) == 2
    assert world.count_at(NOW + MINUTE) == 2
    for minute in range(5):
        world.asked(NOW + minute * MINUTE, 20)
    assert world.count_at(NOW + 5 * MINUTE) == 3
    assert world.count_at(NOW + 60 * MINUTE) == 2
    assert world.count_at(NOW + 65 * MINUTE) == 1
    assert world.count_at(NOW + 70 * MINUTE) == 1


def test_instances_stay_within_the_bounds_and_the_quota(world: World) -> None:
    world.set(minimum="2", default="2")
    assert world.count_at(NOW) == 2
    world.set(minimum="4", default="4")
    assert world.count_at(NOW) == 4
    world.set(minimum="9", maximum="9", default="9")
    assert world.count_at(NOW) == 4


def test_a_setting_that_is_off_or_of_what_has_gone_does_nothing(world: World) -> None:
    world.set(minimum="2", default="2")
    found = world.store.get(KIND, "s")
    assert found is not None
    off = copy.deepcopy(found)
    off["properties"]["enabled"] = False
    world.store.put(KIND, "s", off)
    assert world.count_at(NOW) == 1
    world.store.put(KIND, "s", found)
    world.store.delete(DEPLOYMENTS, "chat/blue")
    world.autoscale.evaluate(NOW)


class TestRest:
    @pytest.fixture
    def path(self, azureml: Connection) -> str:
        group = workspace_path(azureml).partition("/providers/")[0]
        return f"{group}/providers/microsoft.insights/autoscaleSettings/mine"

    def test_a_target_has_to_be_there(
        self, azureml: Connection, rest: httpx2.Client, path: str
    ) -> None:
        body = setting(f"{workspace_path(azureml)}/onlineEndpoints/no/deployments/none")
        assert rest.put(path, json=body).status_code == 404
        assert rest.get(path).status_code == 404
        assert rest.delete(path).status_code == 204

    @pytest.mark.parametrize(
        ("where", "value", "problem"),
        [
            (("location",), None, "'location' is required"),
            (("properties", "profiles"), [], "1 to 20 profiles"),
            (("properties", "profiles", 0, "capacity", "minimum"), 1, "'minimum' is required"),
            (("properties", "profiles", 0, "capacity", "default"), "9", "must lie between"),
            (
                ("properties", "profiles", 0, "rules", 0, "metricTrigger", "timeWindow"),
                "PT4M",
                "'timeWindow' must be between",
            ),
            (
                ("properties", "profiles", 0, "rules", 0, "metricTrigger", "operator"),
                "Above",
                "not one of Equals",
            ),
            (
                ("properties", "profiles", 0, "rules", 0, "scaleAction", "cooldown"),
                "PT1S",
                "'cooldown' must be between",
            ),
        ],
    )
    def test_refused(
        self, rest: httpx2.Client, path: str, where: tuple[Any, ...], value: object, problem: str
    ) -> None:
        body = setting("/x/onlineEndpoints/chat/deployments/blue")
        place: Any = body
        for step in where[:-1]:
            place = place[step]
        place[where[-1]] = value
        answer = rest.put(path, json=body)
        assert answer.status_code == 400, answer.text
        assert problem in answer.json()["error"]["message"]
