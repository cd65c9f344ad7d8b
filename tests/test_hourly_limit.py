"""``max_hourly_cost`` and the daily summary, with a real workspace and real storage.

All of it is in an environment of its own, as others may use the workspace.
"""

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.ai.ml.constants import AssetTypes
from azure.ai.ml.entities import AmlCompute, Model
from azure.core.exceptions import HttpResponseError
from pydantic import SecretStr
from typer.testing import CliRunner

from handlers import cost
from tests.cloud import HTTP, Cloud
from tests.config_text import config_of
from tests.delivering import deliver_all
from tests.faults import Faults
from tests.fleet import Fleet
from tests.planned import NOW, come_to, desired, release, until
from tests.test_handlers import requests
from tuneops import documents, names
from tuneops.azureml import endpoints, running
from tuneops.cli import app
from tuneops.cost import digest, outlook, reservation
from tuneops.cost.digest import Digest, summarize
from tuneops.cost.ledger import Ledger
from tuneops.cost.room import Room
from tuneops.observed import Deployment, Endpoint, Observed
from tuneops.policy import InForce, Policy
from tuneops.policy_file import parse_policy
from tuneops.project import Project
from tuneops.prospect import prospect
from tuneops.queue import ProjectRequest, SummaryRequest
from tuneops.reconcile import reconcile_project
from tuneops.release import Phase, Release, TrainingPlan
from tuneops.services import Services
from tuneops.sources import ConfigSource
from tuneops.status import read_status

pytestmark = pytest.mark.slow
DS3, A100 = "Standard_DS3_v2", "Standard_NC24ads_A100_v4"
PRICES = f"prices: {{currency: EUR, per_hour: {{{A100}: 4, {DS3}: 0.25}}}}\n"
DAY = date(2026, 1, 1)
HERE = "cost"
PLAN = TrainingPlan(base_model="m", component="c", parameters={}, digest="0" * 12)


@pytest.fixture
def here(azure: Cloud, working: Services) -> Services:
    """Services of the environment."""
    source = ConfigSource(environment=HERE, repository=azure.connection["github"]["repository"])
    changes = {"sources": (source,), "github_repository": None}
    return Services(working.settings.model_copy(update=changes)).of(HERE)


def rule(services: Services, policy: str) -> Policy:
    """This policy is in force from now on."""
    in_force = InForce(policy=parse_policy(policy, "p"))
    services.store.update(documents.policy(HERE), InForce, lambda _: in_force)
    return in_force.policy


def deploying(services: Services, bare: str, folder: Path) -> Release:
    """A project whose model is registered and whose deployment comes next."""
    name = names.project_key(HERE, bare)
    made = release("", bare).replace(
        project=name,
        training=PLAN.replace(digest=names.digest(name)),
        endpoint=names.endpoint_name(name, services.workspace.id),
    )
    made = come_to(made, Phase.DEPLOYING, NOW, "registered")
    (folder / "MLmodel").write_text("flavors: {}\n")
    services.workspace.ml.models.create_or_update(
        Model(
            name=made.model_name,
            version=made.model_version,
            type=AssetTypes.MLFLOW_MODEL,
            path=str(folder),
            tags={names.TAG_TRAINING: made.plan.digest},
        )
    )
    project = Project(name=name, current=1, endpoints=(made.endpoint,))
    wanted = desired("", bare).replace(project=name)
    services.store.write(documents.desired(name), wanted, etag=None)
    services.store.write(documents.release(name, 1), made, etag=None)
    services.store.write(documents.project(name), project, etag=None)
    return made


def both(services: Services, do: Callable[[Services, str], Any], *projects: str) -> None:
    """Do something for several projects at the same time, each in a worker of its own."""
    with ThreadPoolExecutor(len(projects)) as pool:
        workers = [Services(services.settings).of(HERE) for _ in projects]
        list(pool.map(do, workers, projects))


def reconcile(services: Services, name: str) -> None:
    reconcile_project(ProjectRequest(project=name), services)


def serves(services: Services, made: Release) -> list[str]:
    """The deployments behind the release's endpoint."""
    found = endpoints.observe(services.workspace, made.endpoint, made.project)
    return [each.name for each in found.deployments] if found else []


@pytest.fixture
def pair(here: Services, faults: Faults, tmp_path: Path) -> Iterator[tuple[Release, Release]]:
    """Two projects that are about to deploy; what they deploy stays on its way."""
    own = uuid.uuid4().hex[:6]
    made = tuple(deploying(here, f"{side}-{own}", tmp_path) for side in ("left", "right"))
    for each in made:
        faults.ask("deployment", "hang", f"{each.endpoint}/*", times=100)
    both(here, reconcile, *(each.project for each in made))
    until(lambda: all(_is_ready(here, each) for each in made))
    yield made[0], made[1]
    for each in made:
        endpoints.begin_delete(here.workspace, each.endpoint)
    until(lambda: not any(_exists(here, each) for each in made))


def _exists(services: Services, made: Release) -> bool:
    return endpoints.observe(services.workspace, made.endpoint, made.project) is not None


def _is_ready(services: Services, made: Release) -> bool:
    found = endpoints.observe(services.workspace, made.endpoint, made.project)
    return found is not None and found.state == "Succeeded"


def test_only_one_of_two_that_deploy_at_once_takes_the_last_room(
    here: Services, pair: tuple[Release, Release]
) -> None:
    rule(here, PRICES + "max_hourly_cost: 5\n")
    for _ in range(2):
        both(here, reconcile, *(each.project for each in pair))
    created = {each.project: serves(here, each) for each in pair}
    assert sorted(map(len, created.values())) == [0, 1], created
    (waits,) = (each for each in pair if not created[each.project])
    (seen,) = read_status(here, waits.project).projects
    assert seen.phase == Phase.DEPLOYING
    assert seen.reason == (
        f"deployment {waits.deployment_name} waits: it costs 4.00 EUR an hour, what runs or is "
        "about to costs 4.00 already, and max_hourly_cost of tuneops-policy.yaml is 5.00; it is "
        "created once enough of that has gone, or the policy allows more"
    )

    rule(here, f"prices: {{per_hour: {{{DS3}: 1}}}}\nmax_hourly_cost: 50\n")
    reconcile(here, waits.project)
    (seen,) = read_status(here, waits.project).projects
    assert seen.phase == Phase.FAILED
    assert f"there is no price of {A100}, which deployment.instance_type asks for" in seen.reason

    rule(here, PRICES + "max_hourly_cost: 8\n")
    reconcile(here, waits.project)
    (seen,) = read_status(here, waits.project).projects
    assert seen.release is not None
    assert seen.release.number == 2


def test_who_took_room_and_died_deploys_and_what_was_live_is_never_refused(
    here: Services, pair: tuple[Release, Release]
) -> None:
    left, right = pair
    rule(here, PRICES + "max_hourly_cost: 4\n")
    now = datetime.now(NOW.tzinfo)
    reservation.reserve(here, left, now)
    reservation.reserve(here, right, now)
    reconcile(here, right.project)
    assert serves(here, right) == []
    for _ in range(2):
        reconcile(here, left.project)
    assert serves(here, left) == [left.deployment_name]
    stored = here.store.read(documents.reservations(HERE), Ledger)
    assert stored is not None
    assert list(stored.value.reservations) == [left.endpoint]

    again = come_to(come_to(right, Phase.LIVE, NOW, ""), Phase.DEPLOYING, NOW, "it was gone")
    here.store.update(documents.release(right.project, 1), Release, lambda _: again)
    reconcile(here, right.project)
    assert serves(here, right) == [right.deployment_name]


def test_many_that_reserve_at_once_take_what_there_is(here: Services) -> None:
    rule(here, PRICES + "max_hourly_cost: 12\n")
    now = datetime.now(NOW.tzinfo)
    wanted = {f"{HERE}.p{number}": release("", f"p{number}") for number in range(6)}

    def take(services: Services, name: str) -> None:
        made = wanted[name].replace(project=name, endpoint=name, training=PLAN)
        reservation.reserve(services, made, now)

    both(here, take, *wanted)
    stored = here.store.read(documents.reservations(HERE), Ledger)
    assert stored is not None
    assert len(stored.value.reservations) == 3


def test_nothing_is_deployed_while_what_runs_can_not_be_told(here: Services) -> None:
    """The rest of the project's life goes on: a newer release takes its place, or it retires."""
    policy = rule(here, PRICES + "max_hourly_cost: 99\n")
    made = come_to(release("", "blind").replace(training=PLAN), Phase.DEPLOYING, NOW, "")
    seen = Observed(endpoint=Endpoint(made.endpoint, "Succeeded"))
    assert reservation.find_room(here, policy, made, seen, NOW) == Room()
    assert reservation.find_room(here, Policy(), made, seen, NOW) is None
    assert reservation.find_room(here, policy, made, Observed(), NOW) is None

    larger = made.replace(number=2, config=config_of("bot", "deployment: {autoscale: {max: 9}}\n"))
    there = Deployment(made.deployment_name, "Succeeded", "1")
    grows = Observed(endpoint=Endpoint(made.endpoint, "Succeeded", deployments=(there,)))
    assert reservation.find_room(here, policy, larger, grows, NOW) == Room()
    tight = policy.model_copy(update={"max_hourly_cost": 20})
    full = reservation.find_room(here, tight, larger, grows, NOW)
    assert full is not None
    assert "it costs 36.00 EUR an hour at its autoscale.max" in full.lack

    nowhere = {**(here.settings.cloud_metadata or {}), "resource_manager": "http://127.0.0.1:9"}
    blind = Services(here.settings.model_copy(update={"cloud_metadata": nowhere})).of(HERE)
    found = reservation.find_room(blind, policy, made, seen, NOW)
    assert found is not None
    assert found.lack.startswith(
        f"deployment {made.deployment_name} waits: max_hourly_cost of tuneops-policy.yaml can't be "
        "checked: Resource Graph does not answer"
    )

    container = here.blobs.get_container_client(here.settings.state_container)
    container.upload_blob(documents.reservations(HERE), b"[]")
    found = reservation.find_room(here, policy, made, seen, NOW)
    assert found is not None
    assert "reservations/cost.json: Input should be" in found.lack
    was_live = come_to(come_to(made, Phase.LIVE, NOW, ""), Phase.DEPLOYING, NOW, "")
    assert reservation.find_room(here, policy, was_live, seen, NOW) is None


@pytest.fixture
def people(azure: Cloud, here: Services) -> Iterator[Services]:
    """Services that tell people in the local cloud's inbox, which is empty."""
    inbox = azure.connection["inbox_url"]
    HTTP.delete(inbox)
    url = SecretStr(inbox.replace("http://", "json://"))
    yield Services(here.settings.model_copy(update={"notify_urls": [url]})).of(HERE)
    HTTP.delete(inbox)


def told(azure: Cloud, people: Services) -> list[dict[str, Any]]:
    """What people have in their inbox once all is delivered."""
    deliver_all(people)
    return [item["body"] for item in HTTP.get(azure.connection["inbox_url"]).json()]


def asked(services: Services, *options: str) -> str:
    """What ``tuneops cost`` prints of a function app with these services."""

    class App(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
            status, text = cost.handle(query.get("environment", [None])[0], services)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), App)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    done = CliRunner().invoke(app, ["cost", "--url", url, *options], env={"COLUMNS": "200"})
    server.shutdown()
    server.server_close()
    assert done.exit_code == 0, done.output
    return done.output


def test_people_are_told_once_a_day_what_runs(
    azure: Cloud, people: Services, faults: Faults
) -> None:
    """By two timers at once, when Azure is away for a while, and when a worker dies."""
    fleet = Fleet(azure, people, whole=range(3), environment=HERE)
    fleet.grow(3)
    fleet.untag("cost.p-0001")
    cluster = AmlCompute(
        name="cost-ours",
        size=DS3,
        tags=names.tags("cost.p-0000", 1, "c"),
        min_instances=1,
        max_instances=1,
    )
    people.workspace.ml.compute.begin_create_or_update(cluster)
    until(lambda: sum(each.count for each in running.clusters(people.workspace, HERE)) == 1)
    policy = rule(people, PRICES + "max_hourly_cost: 1\n")

    both(
        people, lambda each, _: summarize(SummaryRequest(environment=HERE, day=DAY), each), "a", "b"
    )
    (message,) = told(azure, people)
    assert message["title"] == "cost: 1.00 EUR an hour"
    endpoint = fleet.endpoint("cost.p-0001")
    lines = message["message"].splitlines()
    assert lines[:2] == [
        "1.00 EUR an hour; 730 EUR a month",
        "max_hourly_cost of deployments: 1.00 EUR",
    ]
    (line,) = (each for each in lines if endpoint in each)
    assert line.startswith(f"- cost.p-0001: {endpoint}/d-")
    assert line.endswith(f", 1 x {DS3}, 100% of the traffic, has traffic: 0.25")
    assert f"- cost.p-0000: cost-ours, 1 x {DS3.upper()} (dedicated): 0.25" in lines
    summarize(SummaryRequest(environment=HERE, day=DAY), people)
    assert len(told(azure, people)) == 1
    requests(people)

    # The next day Azure does not answer at first.
    faults.ask("call", "fail", "GET /computes", status=503, times=2)
    tomorrow = SummaryRequest(environment=HERE, day=DAY + timedelta(days=1))
    fleet.lose_deployment("cost.p-0002")
    summarize(tomorrow, people)
    assert len(told(azure, people)) == 1
    assert people.store.read(documents.summary(HERE), Digest).value.day == DAY
    last = tomorrow.model_copy(update={"tries": digest.MAX_TRIES})
    summarize(last, people)
    assert told(azure, people)[1]["title"] == "cost: what runs is not known"
    assert faults.struck == 2

    # The day after that it died between writing and telling: nothing is lost or compared wrongly.
    later = SummaryRequest(environment=HERE, day=DAY + timedelta(days=2))
    dying = Services(people.settings.model_copy(update={"deliver_queue": "-"})).of(HERE)
    with pytest.raises(HttpResponseError):
        summarize(later, dying)
    summarize(later, people)
    (_, _, third) = told(azure, people)
    assert third["title"] == "cost: 0.75 EUR an hour"
    assert "Changed since the last summary:\n- gone: cost.p-0002" in third["message"]

    (shown,) = json.loads(asked(people, "--environment", HERE, "--json"))["environments"]
    assert (shown["total"], shown["max_hourly_cost"]) == ({"hourly": 0.75, "unpriced": []}, 1.0)
    assert "cost: 0.75 EUR an hour; 548 EUR a month; max_hourly_cost of deployments is 1.00" in (
        asked(people)
    )

    # A config that would be above the limit is told so, and what runs already is not.
    policy = rule(people, PRICES + "max_hourly_cost: 4\n")
    new = desired("", "new").replace(project="cost.new")
    assert new.config is not None
    seen = prospect(people.workspace, new, new.config, Project(name=new.project), None, [policy])
    assert seen.forbidden == ()
    (note,) = (each for each in seen.plan.notes if "max_hourly_cost" in each)
    assert note.startswith("as things are now, deployment d-")
    live = people.release("cost.p-0000", 1)
    assert live is not None
    assert outlook.notes(people.workspace, live.value, [policy]) == ()
    assert outlook.notes(people.workspace, live.value, [Policy()]) == ()
    fleet.close()
    people.workspace.ml.compute.begin_delete("cost-ours")
    until(lambda: running.clusters(people.workspace, HERE) == ())


def test_nobody_is_told_of_nothing(azure: Cloud, people: Services) -> None:
    summarize(SummaryRequest(environment=HERE, day=DAY), people)
    assert told(azure, people) == []
    stored = people.store.read(documents.summary(HERE), Digest)
    assert stored is not None
    assert stored.value.day == DAY
