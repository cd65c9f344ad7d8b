"""Versions: of the config's language, of stored documents, and the one of TuneOps.

`tests/fixtures/documents` has what earlier versions of TuneOps have stored, as they stored it, in
folders of their commits.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from inspect import getmembers, isfunction, signature
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import PlainSerializer, ValidationError
from pydantic_core import from_json, to_jsonable_python
from rich.console import Console
from typer.testing import CliRunner

from tuneops import actions, config_file, documents, policy_file, section_file
from tuneops.api_version import ApiVersions
from tuneops.asked import Asking, Heard
from tuneops.audit.entry import Page
from tuneops.cli import app
from tuneops.cli.status import render
from tuneops.config import ProjectConfig
from tuneops.config_file import MAX_BYTES, InvalidConfigError, parse_config
from tuneops.cost import digest
from tuneops.cost.ledger import Ledger
from tuneops.decide import decide
from tuneops.desired import Desired, fingerprint
from tuneops.document import Document
from tuneops.gathering import Gathered
from tuneops.gitops.open_pulls import Reviews
from tuneops.gitops.pull_request_channel import PullRequest
from tuneops.gitops.repository import Repository
from tuneops.migrations import EACH, Content, all_of, at
from tuneops.notify.carrier import Carrier
from tuneops.notify.health import Health
from tuneops.notify.mailbox import Mailbox
from tuneops.observed import Deployment, Endpoint, Observed
from tuneops.orders import Orders
from tuneops.overview.document import Cards, Overview
from tuneops.page.form_key import FormKey
from tuneops.policy import InForce
from tuneops.policy_file import parse_policy
from tuneops.previews.register import Register
from tuneops.project import Project
from tuneops.release import Release
from tuneops.schema_versions import STAMP, NewerSchemaError, decode, encode
from tuneops.section import Section
from tuneops.services import Services
from tuneops.status import Status
from tuneops.store import NewerError
from tuneops.sweep.finding import Findings
from tuneops.sweep.record import Record
from tuneops.ticks import Tick
from tuneops.version import VERSION

ROOT = Path(__file__).parents[1]
NOW = datetime(2026, 12, 1, tzinfo=UTC)
CONFIG = "name: bot\nmodel: {name: Phi-3-mini-4k-instruct}\ndata: {path: bot}\n"


# The language of configs


@pytest.mark.parametrize("said", ["", "apiVersion: tuneops/v1\n"])
def test_a_config_may_say_its_version(said: str) -> None:
    assert parse_config(said + CONFIG, "bot.yaml") == parse_config(CONFIG, "bot.yaml")
    assert parse_policy(said + "max_nodes: 2\n", "p.yaml").max_nodes == 2


@pytest.mark.parametrize("said", ["tuneops/v2", "1", "[]", "null", "v1", "x" * 5000])
def test_another_version_is_refused_with_what_to_do(said: str) -> None:
    for parse in (parse_config, parse_policy):
        with pytest.raises(InvalidConfigError) as refused:
            parse(f"# mine\napiVersion: {said}\n", "bot.yaml")
        (problem,) = refused.value.errors
        assert str(problem).startswith("bot.yaml:2: apiVersion: is '")
        assert str(problem).endswith(
            f"which TuneOps {VERSION} does not read; write tuneops/v1, or update TuneOps"
        )
        assert len(str(problem)) < 200


def test_a_word_that_is_nearly_the_key_is_told() -> None:
    with pytest.raises(InvalidConfigError, match=r"bot.yaml:4: .*did you mean 'apiVersion'"):
        parse_config(CONFIG + "apiversion: tuneops/v1\n", "bot.yaml")


def test_editors_know_the_versions() -> None:
    for text in (config_file.json_schema(), policy_file.json_schema()):
        said = json.loads(text)["properties"]["apiVersion"]
        assert (said["enum"], said["default"]) == (["tuneops/v1"], "tuneops/v1")


def test_an_earlier_language_is_read_as_what_it_means_now() -> None:
    """As it will be with v2: each earlier version becomes the next, errors keep their lines."""

    def named(content: Content) -> Content:
        return {"name" if key == "project" else key: value for key, value in content.items()}

    def based(content: Content) -> Content:
        return {"model" if key == "base" else key: value for key, value in content.items()}

    versions = ApiVersions("tuneops/v3", {"tuneops/v1": named, "tuneops/v2": based})

    def read(text: str) -> ProjectConfig:
        return section_file.parse(ProjectConfig, text, "bot.yaml", MAX_BYTES, versions)

    wanted = parse_config(CONFIG, "bot.yaml")
    v2 = CONFIG.replace("model:", "base:")
    assert read("apiVersion: tuneops/v1\n" + v2.replace("name: bot", "project: bot")) == wanted
    assert read("apiVersion: tuneops/v2\n" + v2) == wanted
    assert read(CONFIG) == wanted
    with pytest.raises(InvalidConfigError, match=r"bot.yaml:5: rest: unknown key"):
        read("apiVersion: tuneops/v2\n" + v2 + "rest: 1\n")
    with pytest.raises(InvalidConfigError, match="write tuneops/v3 or tuneops/v2 or tuneops/v1"):
        read("apiVersion: tuneops/v4\n" + CONFIG)
    assert versions.json_schema["enum"][0] == "tuneops/v3"


# Stored documents


class Later(Project):
    """A project as a later version stores it."""

    MIGRATIONS: ClassVar = (*Project.MIGRATIONS, lambda content: {**content, "current": 7})


def test_a_document_says_its_schema_version() -> None:
    stored = from_json(encode(Project(name="bot")))
    assert stored[STAMP] == 1 + len(Project.MIGRATIONS)
    assert next(iter(stored)) == STAMP
    assert decode(Document, encode(Document())) == Document()


def test_what_a_later_version_wrote_is_refused() -> None:
    with pytest.raises(NewerSchemaError, match=r"schema version 3, this one knows 2"):
        decode(Project, encode(Later(name="bot")))


def test_what_an_earlier_version_wrote_is_brought_up() -> None:
    assert decode(Later, encode(Project(name="bot", current=1))).current == 7
    assert decode(Later, b'{"name": "bot"}').current == 7


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"schema_version": 0}', b"\xff", b"null"])
def test_what_is_no_document_is_no_newer_one(content: bytes) -> None:
    with pytest.raises(ValidationError):
        decode(Project, content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("config", "removed", "rollout", "rejected", "keep_previous_minutes")),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(content=st.dictionaries(st.sampled_from(("config", "removed", "rejected")), JSON))
def test_a_migration_takes_whatever_is_stored(content: Content) -> None:
    before = json.dumps(content)
    for kind in (Project, Desired, Release):
        for migrate in kind.MIGRATIONS:
            json.dumps(migrate(content))
    assert json.dumps(content) == before


def test_migrations_reach_into_documents() -> None:
    def more(content: Content) -> Content:
        return {"n": content["n"] + 1}

    both = all_of(at("list", EACH, "it", change=more), at("one", change=more))
    content = {"list": [{"it": {"n": 1}}, 3, {"it": 4}], "one": {"n": 1}, "n": 1}
    assert both(content) == {"list": [{"it": {"n": 2}}, 3, {"it": 4}], "one": {"n": 2}, "n": 1}


def test_a_later_document_is_left_as_it_is(services: Services) -> None:
    """Of two hosts side by side the earlier one neither acts by it nor writes over it."""
    store, path = services.store, documents.project("later")
    written = store.write(path, Later(name="later", current=3), etag=None)
    with pytest.raises(NewerError) as refused:
        store.read(path, Project)
    said = str(refused.value)
    assert said.startswith(f"{services.settings.state_container}/{path} was written by a later")
    assert "go on with the version that wrote it" in said
    with pytest.raises(NewerError):
        store.update(path, Project, lambda known: known or Project(name="later"))
    assert store.read(path, Later) == written


def test_a_config_is_stored_as_its_author_has_written_it() -> None:
    """So an earlier version, which has fewer fields, reads it as well."""
    config = parse_config(CONFIG + "deployment: {instance_count: 2}\n", "bot.yaml")
    desired = Desired(project="bot", commit="c", path="bot.yaml", config=config)
    stored = from_json(encode(desired))["config"]
    assert stored == {
        "name": "bot",
        "model": {"name": "Phi-3-mini-4k-instruct"},
        "data": {"path": "bot/"},
        "deployment": {"instance_count": 2},
    }
    assert decode(Desired, encode(desired)) == desired


@pytest.mark.parametrize(
    "extra",
    [
        "preview: true\nsuspend: true\nnotifications: {channels: [], events: [live]}",
        "rollout: {strategy: canary, approval: {before: [25, 100]}, keep_previous_for_minutes: 0}",
        "rollout: {strategy: shadow, analysis: {max_error_percent: null, max_p99_ms: 5}}",
        "deployment: {autoscale: {min: 1, max: 3}, alternative_instance_types: [A_1, B_2]}",
        "compute: {name: serverless, instance_types: {finetune: X_1}, identity: {}}",
        "compute: {cluster: {size: X_1, identity: {type: system_assigned}, tags: {a: b}}}",
        "behaviour: {sets: [{name: answers, path: b/a.jsonl, score: exact_match, max_drop: null}]}",
        "training: {parameters: {num_train_epochs: 1, apply_lora: 'true', learning_rate: 0.1}}",
        "evaluation: {thresholds: {eval_loss: {max: 2}}, divergence: {max_rise_percent: 20}}",
        "smoke_test: {do_sample: false, temperature: 0, expect: {contains: [x], matches: 'a+'}}",
        "endpoint: {identity: {type: user_assigned, user_assigned_identities: ["
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity"
        "/userAssignedIdentities/i]}, tags: {a: b}}",
    ],
)
@pytest.mark.parametrize(
    "data",
    ["{path: bot, shape: alpaca}", "{source: huggingface, dataset: a/b, splits: {smoke: s}}"],
)
def test_no_config_is_another_one_when_it_was_stored(extra: str, data: str) -> None:
    config = parse_config(CONFIG.replace("{path: bot}", data) + extra + "\n", "bot.yaml")
    desired = Desired(project="bot", commit="c", path="bot.yaml", config=config, removed=config)
    assert decode(Desired, encode(desired)) == desired


def test_no_policy_is_another_one_when_it_was_stored() -> None:
    text = """\
allowed_models: [Phi-3-*]
prices: {currency: EUR, per_hour: {X_1: 1.5}}
freeze: [{from: 2026-12-24T18:00Z, until: 2026-12-27T06:00+01:00, reason: holidays}]
approvals: [{projects: ["a-*"], before: [50], by: [ada]}]
changes: [{environments: [production], by: [ada]}]
previews: {max: 2}
policy: {by: [ada]}
"""
    stored = InForce(policy=parse_policy(text, "p.yaml"))
    assert decode(InForce, encode(stored)) == stored


def kinds() -> set[type[Document]]:
    """All kinds of documents and of their parts, that of the command line apart."""
    found = {Document}
    while more := {sub for kind in found for sub in kind.__subclasses__()} - found:
        found |= more
    return {each for each in found if each.__module__.startswith("tuneops.")} - {Document}


def bare(annotation: Any) -> Iterator[type[Section]]:
    """The parts of configs in an annotation that are stored with all that has its default."""
    if get_origin(annotation) is Annotated:
        if not any(isinstance(each, PlainSerializer) for each in annotation.__metadata__):
            yield from bare(annotation.__origin__)
    elif isinstance(annotation, type) and not get_args(annotation):
        if issubclass(annotation, Section):
            yield annotation
    else:
        for inner in get_args(annotation):
            yield from bare(inner)


def test_all_documents_store_configs_as_they_were_given() -> None:
    for file in (ROOT / "tuneops").rglob("*.py"):
        if "(Document)" in file.read_text():
            import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
    found = kinds()
    assert len(found) > 60
    assert [kind for kind in found if STAMP in kind.model_fields] == []
    wrong = {
        f"{kind.__qualname__}.{name}"
        for kind in found
        for name, field in kind.model_fields.items()
        if not any(isinstance(each, PlainSerializer) for each in field.metadata)
        and any(bare(field.annotation))
    }
    assert wrong == {"Task.config"}  # which a job gets together with the code that reads it


def test_a_later_summary_is_not_told_again(services: Services) -> None:
    """Of what can't be read a summary is made anew, but not of what a later version wrote."""

    class LaterDigest(digest.Digest):
        MIGRATIONS: ClassVar = (*digest.Digest.MIGRATIONS, lambda content: content)

    path = documents.summary("later")
    services.store.write(path, LaterDigest(), etag=None)
    with pytest.raises(NewerError):
        digest._load(path, services)


# What earlier versions have stored

FIXTURES = sorted((Path(__file__).parent / "fixtures" / "documents").glob("*/"))
"""State containers, each at one moment, and the config that stood in git then; see there."""
UNDER_WAY = [folder for folder in FIXTURES if (folder / "support-bot.yaml").exists()]
NAMED_OTHERWISE = ("1-", "2-", "3-")
"""They named a deployment by all fields that they knew."""

KINDS: dict[str, type[Document]] = {
    r"repositor.*": Repository,
    r"polic.*": InForce,
    r"reviews.*": Reviews,
    r"overview\.json": Overview,
    r"overview/.*": Cards,
    r"gathered\.json": Gathered,
    r"projects/.*": Project,
    r"desired/.*": Desired,
    r"orders/.*": Orders,
    r"releases/.*": Release,
    r"audit/.*": Page,
    r"mailboxes/.*": Mailbox,
    r"carriers/.*": Carrier,
    r"channels/.*": Health,
    r"pulls/.*": PullRequest,
    r"asking/.*": Asking,
    r"heard/.*": Heard,
    r"previews.*": Register,
    r"reservations.*": Ledger,
    r"summar.*": digest.Digest,
    r"sweeps/.*": Findings,
    r"swept/.*": Record,
    r"ticks/.*": Tick,
    r"page/forms\.json": FormKey,
}
GONE = {"config.rollout.keep_previous_minutes"}
"""What was stored once and is not any more, as it is called something else."""


def stored_in(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*.json"))
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def kind_of(path: str) -> type[Document]:
    return next(kind for pattern, kind in KINDS.items() if re.fullmatch(pattern, path))


def lost(before: Any, now: Any, path: str = "") -> Iterator[str]:
    """Where what was stored is not what is read."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name, value in before.items():
            inner = f"{path}.{name}".strip(".")
            if name in now:
                yield from lost(value, now[name], inner)
            else:
                yield inner
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for number, (each, other) in enumerate(zip(before, now, strict=True)):
            yield from lost(each, other, f"{path}.{number}")
    elif before != now:
        yield path


@pytest.mark.parametrize("folder", FIXTURES, ids=lambda folder: folder.name)
def test_what_earlier_versions_stored_is_read_whole(folder: Path) -> None:
    stored = stored_in(folder)
    assert len(stored) > 3
    assert folder in UNDER_WAY or len(stored) > 12
    for path, content in stored.items():
        kind = kind_of(path)
        value = decode(kind, content)
        assert set(lost(from_json(content), to_jsonable_python(value.model_dump()))) <= GONE, path
        assert decode(kind, encode(value)) == value, path


def test_each_document_has_a_kind() -> None:
    given = {"number": 7, "page": 2, "month": "2026-11"}
    found = {
        function(*(given.get(name, name) for name in signature(function).parameters))
        for _, function in getmembers(documents, isfunction)
        if signature(function).return_annotation is str and function.__name__ != "name_in"
    }
    paths = {path for path in found if path.endswith(".json")} | {documents.FORM_KEY}
    assert len(paths) > 20
    paths |= {documents.OVERVIEW, documents.GATHERED}
    assert {kind_of(path) for path in paths} == set(KINDS.values())


@pytest.mark.parametrize("folder", UNDER_WAY, ids=lambda folder: folder.name)
def test_an_upgrade_begins_no_release_and_touches_no_endpoint(folder: Path) -> None:
    """What is read in git is what the release was made of, and all keeps its name."""
    stored = stored_in(folder)
    project = decode(Project, stored["projects/support-bot.json"])
    desired = decode(Desired, stored["desired/support-bot.json"])
    release = decode(Release, stored["releases/support-bot/000001.json"])
    config = parse_config((folder / "support-bot.yaml").read_bytes(), "support-bot.yaml")
    for each in (config, desired.config):
        assert fingerprint(each, release.source) in (release.fingerprint, release.made_of)
    jobs = {entry.links["job"] for entry in release.history if "job" in entry.links}
    assert jobs
    assert all(f"/runs/{release.job_name}?" in job for job in jobs)
    if not folder.name.endswith("-live"):
        assert (project.current, project.live, release.phase) == (1, None, "Training")
        return
    assert (project.current, project.live, release.phase) == (1, 1, "Live")
    assert release.metrics is not None
    assert release.metrics.values["eval_loss"] < 1

    name = release.history[-1].reason.removeprefix("all traffic goes to ")
    assert project.live_deployment in ("", f"{release.endpoint}/{name}")
    deployment = Deployment(name, "Succeeded", release.model_version)
    endpoint = Endpoint(
        release.endpoint, "Succeeded", traffic={name: 100}, deployments=(deployment,)
    )
    observed = Observed(
        endpoint=endpoint,
        live_release=1,
        live=release,
        live_deployment=project.live_deployment,
    )
    action = decide(desired.replace(source=release.source), release, observed, NOW)
    if folder.name.startswith(NAMED_OTHERWISE):
        assert isinstance(action, actions.NoteDrift)  # it is deployed once more, without a training
    else:
        assert action == actions.Idle("live")


def test_orders_that_an_earlier_version_took_are_followed() -> None:
    stored = stored_in(next(each for each in FIXTURES if each.name.endswith("-orders")))
    orders = decode(Orders, stored["orders/support-bot.json"])
    assert orders.pin is not None
    assert (orders.pin.release, orders.pin.by) == (1, "ada")
    assert orders.suspension is not None
    assert orders.suspension.stays(orders.pin)
    rejecting = decode(Project, stored["projects/rejecting.json"])
    rejected = rejecting.rejected[0]
    live = Desired(
        project="rejecting", commit="c", path="p", config=rejected.config, source=rejected.source
    )
    assert rejecting.rejection(live) == rejected
    audit = decode(Page, stored["audit/support-bot/2026-11.json"])
    assert [each.outcome for each in audit.entries] == ["accepted", "begun"]
    assert decode(Register, stored["previews.json"]).of_project("support-bot") == ["support-bot~7"]


# The version of TuneOps


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["hatch"]["version"] == {"path": "tuneops/version.py"}
    text = (ROOT / "tuneops" / "version.py").read_text()
    assert re.findall(r'^VERSION = "(.+)"$', text, re.MULTILINE) == [VERSION]
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", VERSION)


def test_the_command_says_its_version_and_when_another_one_runs() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"tuneops {VERSION}\n"
    for there, said in (("9.9.9", True), (VERSION, False), ("", False)):
        console = Console(width=100, record=True, file=StringIO())
        seen = Status(version=there, commit="", config_errors=[], projects=[])
        console.print(render(seen, detailed=False))
        assert ("TuneOps 9.9.9 runs there" in console.export_text()) == said
