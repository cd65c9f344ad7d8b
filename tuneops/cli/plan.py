"""``tuneops plan``."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from tuneops import planning
from tuneops.azureml.errors import RefusedError, UnavailableError
from tuneops.azureml.workspace import Workspace
from tuneops.changes import may_change
from tuneops.cli.files import read_config, yaml_files
from tuneops.cli.policies import policies_near, read_policy
from tuneops.cli.target import (
    STATE,
    KeyOption,
    NoAnswerError,
    StateOption,
    Target,
    UrlOption,
    fail,
    local_workspace,
    read_connection,
    use_local_identity,
)
from tuneops.config import ProjectConfig
from tuneops.document import Document
from tuneops.estimate_text import facts as facts_of
from tuneops.estimates import Forecast
from tuneops.foresight import foreseen
from tuneops.foretelling import foretell
from tuneops.names import project_key
from tuneops.outcome import SAID, Change, Kind, Outcome, outcome
from tuneops.parameters import Origin
from tuneops.policy import FILE as POLICY_FILE
from tuneops.policy import Policy, violations
from tuneops.release import Desired, Project, TrainingPlan
from tuneops.settings import WorkspaceSettings
from tuneops.status import ProjectStatus

FOLDER = Path("finetune")
CHANGES = 2
NOT_ASKED = "what runs is not known: everything is taken as new, latest as the newest version"
_INTERNAL = {"plan": {"digest", "attempt"}}
_AT_REST = (Kind.NOTHING, Kind.SUSPENDED)
_WHO = {
    Origin.TUNEOPS: "TuneOps",
    Origin.DEFAULT: "default of the tutorial",
    Origin.MODEL: "model_specific_defaults",
    Origin.CONFIG: "config",
}


class PlannedProject(Document):
    """What a config file would do."""

    file: str
    project: str
    outcome: Outcome
    plan: TrainingPlan
    endpoint: str
    deployment: str
    forecast: Forecast


def plan(
    path: Annotated[Path, typer.Argument(help="A config file, or a folder of them.")] = FOLDER,
    azure: Annotated[
        bool,
        typer.Option(
            help="Ask your workspace: config.json here, or TUNEOPS_SUBSCRIPTION_ID and so on."
        ),
    ] = False,
    environment: Annotated[
        str, typer.Option(help="The environment of the configs, if it has a name.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    url: UrlOption = "",
    key: KeyOption = "",
    state: StateOption = STATE,
) -> None:
    """Show what configs would change, what they would train with, and whether it can be served.

    Nothing is submitted. Model and component are looked up, machines and quota checked, and each
    project is set beside its newest release, if the running TuneOps can be asked, and held against
    tuneops-policy.yaml beside the configs or in the folder above. Every input of the pipeline is
    shown with who decided its value.

    Exits with 0 when there is nothing to do, 2 when something would change, 1 when a config can't
    be carried out.

    Example: tuneops plan finetune/support-bot.yaml
    """
    configs = {file: _config(file) for file in _files(path)}
    policies = _policies(path)
    workspace = Workspace(_settings(azure=azure, state=state))
    target = None if azure and not url else Target.find(url, key, state)
    priced = next((policy for policy in policies if policy.prices), Policy())
    planned = [
        _planned(file, project_key(environment, config.name), config, workspace, target, priced)
        for file, config in configs.items()
    ]
    _hold_against(policies, planned, configs, workspace)
    planned = [_with_rules(each, policies) for each in planned]
    if as_json:
        shown = [each.model_dump(mode="json", exclude=_INTERNAL) for each in planned]
        typer.echo(json.dumps(shown, indent=2))
    else:
        Console().print(*map(render, planned), sep="\n\n")
    if any(each.outcome.kind not in _AT_REST for each in planned):
        raise typer.Exit(CHANGES)


def render(planned: PlannedProject) -> Group:
    """The plan as tables: what changes, what it runs on, and the pipeline's inputs."""
    found = planned.plan
    facts = Table(box=None, show_header=False, pad_edge=False)
    for name, value in (
        ("project", f"{planned.project}: {SAID[planned.outcome.kind]}"),
        *((change.field, _shown(change)) for change in planned.outcome.changes),
        ("model", found.base_model),
        ("component", found.component),
        ("trains on", f"{found.nodes} x {found.compute_size}"),
        ("endpoint", planned.endpoint),
        ("deployment", planned.deployment),
        *((f"forecast: {name}", text) for name, text in facts_of(planned.forecast)),
        *(("note", note) for note in found.notes),
    ):
        facts.add_row(name, Text(value))
    if planned.outcome.kind != Kind.TRAIN:
        return Group(facts)
    inputs = Table("Input", "Value", "Decided by", box=None, pad_edge=False)
    for name, parameter in sorted(found.parameters.items()):
        inputs.add_row(name, str(parameter.value), _WHO[parameter.origin])
    return Group(facts, "", inputs)


def _shown(change: Change) -> str:
    return f"{change.before or '(not set)'} -> {change.after or '(not set)'}"


def _planned(
    file: Path,
    name: str,
    config: ProjectConfig,
    workspace: Workspace,
    target: Target | None,
    policy: Policy,
) -> PlannedProject:
    known, note = _known(name, target)
    desired = Desired(project=name, commit="", path=str(file), config=config)
    project = Project(name=name)
    if known:
        project = project.replace(pins=known.pins, trainings=known.trainings)
    newest = known.release if known else None
    data = newest.data if newest and newest.config.data == config.data else None
    release = foreseen(desired, config, project, workspace.id, data, datetime.now(UTC))
    try:
        found = planning.plan(workspace, release)
        forecast = foretell(workspace, release.replace(training=found), policy)
    except (RefusedError, UnavailableError) as error:
        raise fail(f"{file}: {error}") from error
    return PlannedProject(
        file=str(file),
        project=name,
        outcome=outcome(
            config,
            found,
            newest.config if newest else None,
            newest.training if newest else None,
        ),
        plan=found.replace(notes=(*found.notes, *note)),
        endpoint=release.endpoint,
        deployment=f"{config.deployment.instance_count} x {config.deployment.instance_type}",
        forecast=forecast,
    )


def _settings(*, azure: bool, state: Path) -> WorkspaceSettings:
    if not azure:
        connection = read_connection(state)
        use_local_identity(connection)
        return local_workspace(connection)
    try:
        return WorkspaceSettings()
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "settings"
        raise fail(
            f"{field}: {first['msg']}. Which workspace? Put its config.json here, or set "
            "TUNEOPS_SUBSCRIPTION_ID, TUNEOPS_RESOURCE_GROUP and "
            "TUNEOPS_WORKSPACE"
        ) from error
    except ValueError as error:
        raise fail(str(error)) from error


def _config(file: Path) -> ProjectConfig:
    config, problems = read_config(file)
    if config is None:
        raise fail("\n".join(problems))
    return config


def _policies(path: Path) -> list[Policy]:
    read = [read_policy(file) for file in policies_near(path)]
    if errors := [problem for _, problems in read for problem in problems]:
        raise fail("\n".join(errors))
    return [policy for policy, _ in read if policy]


def _hold_against(
    policies: Sequence[Policy],
    planned: Sequence[PlannedProject],
    configs: Mapping[Path, ProjectConfig],
    workspace: Workspace,
) -> None:
    """End with what the policy does not allow."""
    region = workspace.region if any(policy.allowed_regions for policy in policies) else ""
    forbidden = [
        f"{each.file}: {violation}"
        for policy in policies
        for each, config in zip(planned, configs.values(), strict=True)
        for violation in violations(policy, config, each.plan, region, each.forecast)
    ]
    if forbidden:
        raise fail("\n".join(forbidden))


def _with_rules(planned: PlannedProject, policies: Sequence[Policy]) -> PlannedProject:
    """The plan with who may bring it to the tracked branch, where a policy says that."""
    found = [may_change(policy.changes, planned.project) for policy in policies]
    notes = [
        f"may be merged by {', '.join(who)} alone: changes of {POLICY_FILE}" for who in found if who
    ]
    plan = planned.plan
    return planned.replace(plan=plan.replace(notes=(*plan.notes, *notes)))


def _known(project: str, target: Target | None) -> tuple[ProjectStatus | None, tuple[str, ...]]:
    """The running project; a note if nobody could be asked for it."""
    if target is None:
        return None, (f"{NOT_ASKED}: give --url and --key to have it asked",)
    try:
        return target.project(project), ()
    except NoAnswerError as error:
        return None, (f"{NOT_ASKED}: {error}",)


def _files(path: Path) -> list[Path]:
    files = [file for file in yaml_files(path) if file.name != POLICY_FILE]
    if not files:
        raise fail(f"{path} has no config file: none ends in .yaml or .yml")
    return files
