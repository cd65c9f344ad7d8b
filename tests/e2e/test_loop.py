"""The loop from end to end on the local cloud; the ends are asserted through Azure's own SDKs."""

import gzip
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import httpx2
import pytest
import yaml
from typer.testing import CliRunner

from bench.release import Log
from tests.cloud import QUICK, Cloud, app_settings, config, jsonl, some_rows
from tests.collector import Collector
from tests.e2e.course import COURSE
from tests.e2e.tracing import between_timers, check_one_trace
from tests.e2e.watching import watching
from tests.inventory import check_inventory
from tuneops.cli import app
from tuneops.estimates import Forecast
from tuneops.gitops.final_text import MARK
from tuneops.page.access import OPERATOR, Visitor
from tuneops.page.actions import read_actions
from tuneops.services import Services
from tuneops.status import ProjectStatus, ReleaseStatus

pytestmark = pytest.mark.slow
MOST_COURSES = 8
"""A release reads the courses of so many metrics: each is a call."""


def test_upload_and_merge_make_a_live_model(
    cloud: Cloud, collector: Collector, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    priced = {"prices": {"per_hour": {"Standard_NC24ads_A100_v4": 3.67}}}
    files: dict[str, Any] = {"first.yaml": config("first"), "../tuneops-policy.yaml": priced}
    pull = cloud.merge_by_pull("first", files)
    commit = cloud.github(f"pulls/{pull}")["merge_commit_sha"]
    waiting = cloud.until("first", lambda seen: seen.phase == "Waiting for data")
    assert waiting.release is None

    log = Log(cloud)
    with watching(cloud, "first", subtests):
        between_timers()
        cloud.upload("first/chats.jsonl", some_rows())
        cloud.until("first", lambda seen: seen.release is not None)
        follower = follow(cloud, "first")
        release = cloud.until_phase("first", 1, "Live").release
        asked = [call.path for call in log.calls()]

    assert [path for path in asked if "OperationsStatus" in path] == []
    assert sum("get-history" in path for path in asked) <= MOST_COURSES
    assert release is not None
    assert [entry.phase for entry in release.history] == [*COURSE, "Live"]
    assert release.commit == commit
    assert release.data is not None
    assert release.data.train_rows + release.data.test_rows == 24
    assert release.metrics is not None
    assert "eval_loss" in release.metrics.values
    assert len(release.metrics.curves["loss"]) > 1
    (answer,) = release.smoke.answers
    assert answer.passed
    assert answer.request

    (job,) = cloud.jobs("first")
    assert job == release.job
    tags = {"tuneops.project": "first", "tuneops.release": "1", "tuneops.commit": commit}
    assert cloud.ml.jobs.get(job).tags.items() >= tags.items()
    for part in ("train", "test"):
        asset = cloud.ml.data.get(f"first-{part}", version=release.data.digest)
        assert release.data.assets[part] == asset.id
        assert cloud.inputs(job)[f"{part}_file_path"] == asset.id
        assert (asset.tags or {}).items() >= tags.items()
    (version,) = cloud.models("first")
    assert cloud.ml.models.get("first", version=version).tags.items() >= tags.items()
    assert cloud.traffic(release.endpoint) == {release.deployment: 100}
    check_inventory(cloud, "first")

    cloud.until("first", lambda _: status_of(cloud, commit) == ("tuneops/first", "success"))
    shown = ["success", "in_progress", "queued"]
    cloud.until("first", lambda _: deployed(cloud, "first") == shown)
    check_what_is_read(cloud, release, follower)
    check_what_it_took(cloud.until("first", lambda _: len(final_comments(cloud, pull)) == 1))
    (told,) = final_comments(cloud, pull)
    for said in (
        "#### `first`: release 1 is live",
        "| `eval_loss` |",
        "Smoke test (passed, ",
        "USD, likely ",
        "Times: Preparing ",
        "[endpoint](https://",
    ):
        assert said in told

    with subtests.test("the upload and all that it led to are one trace"):
        check_one_trace(cloud, collector, "first", commit)

    file = tmp_path / "first.yaml"
    file.write_text(yaml.safe_dump(config("first")))
    command = ["plan", str(tmp_path), "--json", "--state", str(cloud.state)]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 0
    (planned,) = json.loads(shown.stdout)
    assert planned["outcome"] == {"kind": "nothing", "changes": []}
    pinned = cloud.status("first")
    assert pinned is not None
    assert planned["plan"]["base_model"] in pinned.pins.values()
    assert planned["plan"]["notes"] == []
    assert not planned["forecast"]["trains"]

    file.write_text(yaml.safe_dump(config("first", deployment={"instance_count": 2})))
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 2
    (planned,) = json.loads(shown.stdout)
    changed = {"field": "deployment.instance_count", "before": "1", "after": "2"}
    assert planned["outcome"] == {"kind": "redeploy", "changes": [changed]}

    longer = config("first", training={"parameters": {**QUICK, "max_steps": 8}})
    file.write_text(yaml.safe_dump(longer))
    (tmp_path / "tuneops-policy.yaml").write_text("max_estimated_cost: 0.01\n")
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 1
    assert "there is no price of Standard_NC24ads_A100_v4" in shown.output
    (tmp_path / "tuneops-policy.yaml").write_text(yaml.safe_dump(priced))
    shown = CliRunner().invoke(app, command)
    (planned,) = json.loads(shown.stdout)
    foretold = Forecast.model_validate(planned["forecast"])
    assert foretold.basis == "1 earlier training on Standard_NC24ads_A100_v4"
    assert foretold.steps == 8
    assert foretold.cost is not None
    assert 0 < foretold.cost.low < foretold.cost.high


def follow(cloud: Cloud, project: str) -> "subprocess.Popen[str]":
    """Follow the log of the project's newest release in a process of its own."""
    line = [Path(sys.executable).with_name("tuneops"), "logs", project, "--follow"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*line, "--state", cloud.state], text=True, **pipes)


def printed(cloud: Cloud, *line: str) -> str:
    """What a command prints."""
    done = CliRunner().invoke(app, [*line, f"--state={cloud.state}"])
    assert done.exit_code == 0, done.output
    return done.stdout


def check_what_is_read(
    cloud: Cloud, release: ReleaseStatus, follower: "subprocess.Popen[str]"
) -> None:
    """Logs, curves and answers of the project's first release, which is live."""
    followed, said = follower.communicate(timeout=60)
    assert follower.returncode == 0, said
    assert re.fullmatch(r"\[release 1 is \w+\]", said.splitlines()[-1])
    log = json.loads(printed(cloud, "logs", "first", "--json"))
    texts = {piece["file"]: piece["text"] for piece in log["pieces"]}
    steps = {file.partition("/")[0] for file in texts}
    assert "chat_completion_finetune" in steps
    assert sorted(followed.splitlines()) == sorted("".join(texts.values()).splitlines())
    assert "startup complete" in printed(cloud, "logs", "first", "1", "--of=deployment")

    metrics = json.loads(printed(cloud, "metrics", "first", "--json"))
    (loss,) = (curve["points"] for curve in metrics["curves"] if curve["name"] == "loss")
    assert [step for step, _ in loss] == [1, 2, 3, 4]
    assert "loss" in printed(cloud, "metrics", "first")
    assert json.loads(printed(cloud, "show", "first", "1", "--json")) == json.loads(
        release.model_dump_json()
    ) | {"messages": ANY, "actuals": ANY, "history": ANY}
    assert str(release.deployment) in printed(cloud, "show", "first")

    answer = json.loads(printed(cloud, "ask", "first", "What is 1 plus one?", "--json"))
    assert answer["endpoint"] == release.endpoint
    assert answer["answer"]
    named = ("ask", "first", "-", "--deployment", str(release.deployment), "--max-new-tokens=4")
    done = CliRunner().invoke(app, [*named, f"--state={cloud.state}"], input="What is 2 plus one?")
    assert (done.exit_code, bool(done.stdout.strip())) == (0, True), done.output
    nobody = ["ask", "first", "What?", "--deployment=nobody", f"--state={cloud.state}"]
    refused = CliRunner().invoke(app, nobody)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "the endpoint answers with status 4" in refused.stderr


def check_what_it_took(project: ProjectStatus) -> None:
    """The forecast of the project's release beside what came."""
    release = project.release
    assert release is not None
    foretold, came = release.forecast, release.actuals
    assert foretold is not None
    assert foretold.cost is not None
    assert came is not None
    assert came.note == ""
    assert came.rows == foretold.rows > 0
    assert came.tokens is not None
    assert came.steps == foretold.steps == QUICK["max_steps"]
    assert came.seconds
    assert came.cost == came.seconds / 3600 * 3.67
    assert came.live_seconds
    assert foretold.live_seconds is not None
    assert came.seconds < came.live_seconds < foretold.live_seconds.high
    assert list(came.phases) == [entry.phase for entry in release.history[:-1]]
    assert [each.job for each in project.trainings] == [release.job]


def final_comments(cloud: Cloud, pull: int) -> list[str]:
    """What the merged pull request was told of its end."""
    bodies = [str(each["body"]) for each in cloud.github(f"issues/{pull}/comments")]
    return [body for body in bodies if body.startswith(MARK)]


def status_of(cloud: Cloud, commit: str) -> tuple[str, str]:
    """The context and the state of the newest status of a commit."""
    newest = next(iter(cloud.github(f"commits/{commit}/statuses")), {})
    return newest.get("context", ""), newest.get("state", "")


def deployed(cloud: Cloud, project: str) -> list[str]:
    """How GitHub's deployment of the project's newest commit went, without what repeats."""
    newest = cloud.github(f"deployments?environment={project}")[0]
    statuses = cloud.github(f"deployments/{newest['id']}/statuses")
    return list(dict.fromkeys(status["state"] for status in statuses))


@pytest.mark.soak
def test_neither_a_deployment_change_nor_a_revert_trains_and_removal_keeps_models(
    cloud: Cloud,
) -> None:
    sets = [{"name": "any answer", "path": "sets/any.jsonl", "score": "regex", "min_score": 1}]
    asks = {"behaviour": {"sets": sets, "min_rows": 3, "max_new_tokens": 8}}
    cloud.upload("sets/any.jsonl", b'{"prompt": "What is 1 plus one?", "pattern": "."}\n' * 3)
    cloud.merge({"swap.yaml": config("swap", **asks)})
    cloud.upload("swap/chats.jsonl", some_rows())
    first = cloud.until_phase("swap", 1, "Live").release
    assert first is not None
    assert scores(first) == [("pass", 1, None)]

    cloud.merge({"swap.yaml": config("swap", **asks, deployment={"instance_count": 2})})
    second = cloud.until_phase("swap", 2, "Live").release
    assert second is not None
    assert second.deployment != first.deployment
    assert second.behaviour is None
    cloud.until("swap", lambda _: cloud.traffic(second.endpoint) == {second.deployment: 100})

    cloud.merge({"swap.yaml": config("swap", **asks)}, "Revert")
    cloud.until_phase("swap", 3, "Live")
    cloud.until("swap", lambda _: cloud.traffic(first.endpoint) == {first.deployment: 100})

    assert len(cloud.jobs("swap")) == 1
    assert len(cloud.models("swap")) == 1

    longer = {"parameters": {**QUICK, "max_steps": 3}}
    kept = {"keep_previous": 1}
    cloud.merge({"swap.yaml": config("swap", **asks, training=longer, rollout=kept)})
    fourth = cloud.until_phase("swap", 4, "Live").release
    assert fourth is not None
    assert fourth.deployment != first.deployment
    beside = json.loads(printed(cloud, "compare", "swap", "1", "4", "--json"))
    fields = {change["field"] for change in beside["parameters"]}
    assert fields == {"training.parameters.max_steps", "rollout.keep_previous"}
    assert not beside["same_model"]
    assert [(each["a"], each["b"]) for each in beside["scores"]] == [(1, 1)]
    listed = json.loads(printed(cloud, "releases", "swap", "--json"))["releases"]
    assert [each["number"] for each in listed if each["live"]] == [4]
    assert scores(fourth) == [("pass", 1, 1)]
    assert len(cloud.jobs("swap")) == 2
    cloud.revert()
    cloud.until_phase("swap", 5, "Live")
    cloud.until("swap", lambda _: cloud.traffic(first.endpoint) == {first.deployment: 100})
    assert len(cloud.jobs("swap")) == 2
    assert len(cloud.models("swap")) == 2

    cloud.merge({"swap.yaml": None})
    cloud.until("swap", lambda seen: seen.phase == "Retired")
    cloud.until("swap", lambda _: deployed(cloud, "swap")[0] == "inactive")
    assert cloud.traffic(first.endpoint) is None
    assert len(cloud.models("swap")) == 2
    check_inventory(cloud, "swap")
    cloud.queue.clear_messages()  # the look in an hour, which would keep the queue from being empty


def scores(release: ReleaseStatus) -> list[tuple[str, float | None, float | None]]:
    """What the evaluation sets said: verdict, mean, and that of the live deployment."""
    found = release.behaviour.comparisons if release.behaviour else ()
    return [(each.verdict, each.new, each.live) for each in found]


def test_neither_bad_data_nor_a_worse_model_touches_what_is_live(cloud: Cloud) -> None:
    good = config("careful", data={"path": "careful", "validation_percent": 30})
    pull = cloud.merge_by_pull("careful", {"careful.yaml": good})
    cloud.upload("careful/1.jsonl", some_rows())
    live = cloud.until_phase("careful", 1, "Live").release
    assert live is not None
    assert live.data is not None
    assert live.data.validation_rows > 0
    (job,) = cloud.jobs("careful")
    assert cloud.inputs(job)["validation_file_path"] == live.data.assets["validation"]
    serving, registered = {live.deployment: 100}, cloud.models("careful")

    cloud.upload("careful/2.jsonl", b'{"messages": []}\nnonsense\n')
    project = cloud.until("careful", lambda seen: seen.phase == "Failed")
    assert "careful/2.jsonl has no valid row: careful/2.jsonl:1: has no question" in project.reason
    assert project.live is not None
    assert project.live.number == 1
    assert cloud.traffic(live.endpoint) == serving

    learns_nothing = {**good, "training": {"parameters": {**QUICK, "learning_rate": 1e-12}}}
    bounds = {"thresholds": {"eval_loss": {"max": 100}}, "max_regression_percent": {"eval_loss": 1}}
    cloud.merge({"careful.yaml": {**learns_nothing, "evaluation": bounds}})
    cloud.until("careful", lambda seen: bool(seen.release) and seen.release.number == 3)
    cloud.upload("careful/3.jsonl", some_rows(30))
    project = cloud.until("careful", lambda seen: "worse than in live release 1" in seen.reason)
    assert project.release is not None
    assert [entry.phase for entry in project.release.history][-2:] == ["Evaluating", "Failed"]
    assert "more than 1 %; on other test rows" in project.reason
    outcomes = [(check.name, check.outcome) for check in project.release.checks]
    assert outcomes[:2] == [("max_regression_percent", "failed"), ("thresholds", "passed")]
    assert (cloud.models("careful"), cloud.traffic(live.endpoint)) == (registered, serving)

    (told,) = final_comments(cloud, pull)
    assert "#### `careful`: release 1 is live" in told

    strict = {"thresholds": {"eval_loss": {"max": 0.0}}}
    bad = {"careful.yaml": {**learns_nothing, "evaluation": strict}}
    pull = cloud.merge_by_pull("strict", bad)
    cloud.until("careful", lambda seen: seen.reason.endswith(", above 0"))
    cloud.until("careful", lambda _: len(final_comments(cloud, pull)) == 1)
    (told,) = final_comments(cloud, pull)
    assert "#### `careful`: release 5 failed" in told
    assert "eval_loss is" in told
    assert len(cloud.jobs("careful")) == 2
    assert (cloud.models("careful"), cloud.traffic(live.endpoint)) == (registered, serving)

    check_inventory(cloud, "careful")
    cloud.merge({"careful.yaml": good})
    cloud.until_phase("careful", 6, "Live")


@pytest.mark.soak
def test_staging_and_production_share_nothing(cloud: Cloud) -> None:
    shared = {"../both/pair.yaml": config("pair")}
    cloud.upload("pair/chats.jsonl", some_rows())
    pushed = cloud.merge(shared, branch="staging")
    staging = cloud.until_phase("staging.pair", 1, "Live").release
    assert staging is not None
    assert endpoints_of(cloud, "pair") == {"staging.pair": staging.endpoint}

    broken = cloud.merge({"../tuneops-policy.yaml": "max_nodes: many\n"}, branch="staging")
    merged = cloud.merge(shared, branch="main")
    production = cloud.until_phase("production.pair", 1, "Live").release
    assert production is not None
    assert endpoints_of(cloud, "pair") == {
        "staging.pair": staging.endpoint,
        "production.pair": production.endpoint,
    }
    assert cloud.traffic(staging.endpoint) == {staging.deployment: 100}
    assert cloud.traffic(production.endpoint) == {production.deployment: 100}
    assert cloud.jobs("staging.pair") == [staging.job]
    assert cloud.jobs("production.pair") == [production.job]
    assert len({staging.endpoint, production.endpoint, staging.job, production.job}) == 4
    assert [len(cloud.models(name)) for name in ("staging_pair", "production_pair", "pair")] == [
        1,
        1,
        0,
    ]
    assert staging.data is not None
    assert production.data is not None
    check_inventory(cloud, "staging.pair", "production.pair")
    assert staging.data.digest == production.data.digest
    assert not set(staging.data.files.values()) & set(production.data.files.values())

    for key, commit in (("staging.pair", pushed), ("production.pair", merged)):
        told = (f"tuneops/{key}", "success")
        cloud.until(key, lambda _, at=commit, told=told: status_of(cloud, at) == told)
        cloud.until(key, lambda _, key=key: deployed(cloud, key)[0] == "success")
    refused = ("tuneops/staging.policy", "failure")
    cloud.until("staging.pair", lambda _: status_of(cloud, broken) == refused)


def endpoints_of(cloud: Cloud, name: str) -> dict[str, str]:
    """The endpoints of the projects of this name by environment and name."""
    found = {(e.tags or {}).get("tuneops.project", ""): e for e in cloud.ml.online_endpoints.list()}
    return {key: str(e.name) for key, e in found.items() if key.rpartition(".")[2] == name}


def order_on_the_page(cloud: Cloud, project: str, action: str, **fields: str) -> httpx2.Response:
    """What the page answers to a form of its own."""
    me, now = Visitor("this computer", frozenset({OPERATOR}), "loopback"), datetime.now(UTC)
    storage = cloud.connection["storage"]["connection_string"]
    services = Services(app_settings(cloud, storage_connection_string=storage))
    token = read_actions(project, me, {}, services, now).token
    return httpx2.post(
        f"{cloud.connection['functions']['base_url']}/projects/{project}/actions/{action}",
        data={"token": token, **fields},
        headers={"Sec-Fetch-Site": "same-origin"},
    )


@pytest.mark.soak
def test_git_holds_a_project_back_and_protects_it(cloud: Cloud) -> None:
    cloud.merge({"held.yaml": config("held", suspend=True)})
    cloud.upload("held/chats.jsonl", some_rows())
    cloud.until("held", lambda seen: seen.reason == "suspended by finetune/held.yaml")
    cloud.merge({"held.yaml": config("held", deletion_protection=True)}, "Go\n\ntuneops: skip")
    cloud.until_idle()
    assert cloud.jobs("held") == []
    run = CliRunner().invoke(app, ["suspend", "held", "--reason=not yet", f"--state={cloud.state}"])
    assert run.exit_code == 0, run.output
    cloud.merge({"note.txt": "Nothing of ours."})
    cloud.until("held", lambda seen: seen.reason.endswith("UTC: not yet"))
    assert cloud.jobs("held") == []
    assert order_on_the_page(cloud, "held", "resume", reason="now").status_code == 303
    release = cloud.until_phase("held", 1, "Live").release
    assert release is not None
    serving = {release.deployment: 100}

    cloud.merge({"held.yaml": None})
    cloud.until("held", lambda seen: "has deletion_protection: put it back" in seen.reason)
    assert cloud.traffic(release.endpoint) == serving
    assert "held: release 1 is held up" in cloud.messages("held")

    cloud.merge({"held.yaml": config("held", on_removal="retain")})
    cloud.until("held", lambda seen: seen.reason == release.reason)
    cloud.merge({"held.yaml": None})
    retired = cloud.until("held", lambda seen: seen.phase == "Retired")
    assert retired.reason.endswith(f"endpoint {release.endpoint} is retained")
    check_inventory(cloud, "held")
    assert cloud.traffic(release.endpoint) == serving
    said = CliRunner().invoke(app, ["audit", "held", "--json", f"--state={cloud.state}"]).output
    assert [(e["action"], e["where"], e["outcome"]) for e in json.loads(said)["entries"]] == [
        ("resume", "page", "accepted"),
        ("suspend", "api", "accepted"),
    ]


def test_a_broken_config_is_reported_on_its_commit_and_changes_nothing(cloud: Cloud) -> None:
    cloud.merge({"steady.yaml": config("steady")})
    cloud.until("steady", lambda seen: seen.phase == "Waiting for data")
    broken = {**config("steady"), "modle": {}}
    commit = cloud.merge({"steady.yaml": broken})

    def reported(_: object) -> bool:
        statuses = cloud.github(f"commits/{commit}/statuses")
        return any("did you mean 'model'?" in status["description"] for status in statuses)

    project = cloud.until("steady", reported)
    assert project.phase == "Waiting for data"


@pytest.mark.parametrize(
    ("name", "nodes", "kind", "steps"),
    [
        ("large", 1, "command", 0),
        pytest.param("larger", 2, "pipeline", 3, marks=pytest.mark.soak),
    ],
)
@pytest.mark.soak
def test_large_data_is_prepared_by_a_job(
    cloud: Cloud, name: str, nodes: int, kind: str, steps: int
) -> None:
    compute = {"name": "serverless", "nodes": nodes}
    cloud.merge({f"{name}.yaml": config(name, compute=compute)})
    rows = some_rows(400)
    cloud.upload(f"{name}/week/1.jsonl", rows[:250])
    cloud.upload(f"{name}/week/2.jsonl.gz", gzip.compress(jsonl(rows[250:])))
    cloud.upload(f"{name}/week/_SUCCESS", b"")
    if nodes == 1:
        cloud.until_phase(name, 1, "Live")
    release = cloud.until(name, lambda _: len(cloud.jobs(name)) == 2).release
    assert release is not None
    assert release.data is not None
    assert release.data.train_rows + release.data.test_rows == 400

    (job,) = (cloud.ml.jobs.get(each) for each in cloud.jobs(name) if each != release.job)
    assert job.type == kind
    below = {str(step.display_name) for step in cloud.ml.jobs.list(parent_job_name=job.name)}
    assert len(below) == steps
    assert release.data.folder.endswith(job.name.removeprefix(f"{name}-"))
    log = json.loads(printed(cloud, "logs", name, "1", "--of=data", "--json"))
    assert (log["over"], log["more"]) == (True, False)
    assert below <= {piece["file"].partition("/")[0] for piece in log["pieces"]}
    assert cloud.inputs(str(release.job))["train_file_path"] == release.data.assets["train"]

    cloud.upload(f"{name}/week/3.jsonl", b"nonsense\n" * 3)
    project = cloud.until(name, lambda seen: seen.phase == "Failed")
    assert f"{name}/week/3.jsonl:1: is no JSON" in project.reason
    check_inventory(cloud, name)
