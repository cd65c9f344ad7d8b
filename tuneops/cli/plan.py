"""``tuneops plan``."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console, Group
from rich.table import Table

from tuneops import planning
from tuneops.azureml.errors import RefusedError, UnavailableError
from tuneops.azureml.workspace import Workspace
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
from tuneops.config import HubData, ProjectConfig
from tuneops.config_file import InvalidConfigError, parse_config
from tuneops.parameters import Origin
from tuneops.release import (
    Desired,
    PreparedData,
    Project,
    Release,
    Source,
    TrainingPlan,
    start_release,
)
from tuneops.settings import WorkspaceSettings

NOT_ASKED = "latest means the newest version here; to the running project it may mean another"
_WHO = {
    Origin.TUNEOPS: "TuneOps",
    Origin.DEFAULT: "default of the tutorial",
    Origin.MODEL: "model_specific_defaults",
    Origin.CONFIG: "config",
}


def plan(
    file: Annotated[Path, typer.Argument(help="A config file.")],
    azure: Annotated[
        bool,
        typer.Option(
            help="Ask your workspace: config.json here, or TUNEOPS_SUBSCRIPTION_ID and so on."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    url: UrlOption = "",
    key: KeyOption = "",
    state: StateOption = STATE,
) -> None:
    """Show what a config would train with, and whether it can be served; nothing is submitted.

    Model and component are looked up, machines and quota checked. Every input of the pipeline is
    shown with who decided its value. What ``latest`` meant to the project's releases is asked of
    the running TuneOps, if there is one. Exits with 1 when the config can't be carried out.

    Example: tuneops plan finetune/support-bot.yaml
    """
    config = _config(file)
    workspace = Workspace(_settings(azure=azure, state=state))
    pins, note = _pins(config.name, url, key, state, azure=azure)
    release = _release(file, config, workspace.id, pins)
    try:
        found = planning.plan(workspace, release)
        found = found.replace(notes=(*found.notes, *note))
    except (RefusedError, UnavailableError) as error:
        raise fail(f"{file}: {error}") from error
    if as_json:
        typer.echo(found.model_dump_json(indent=2, exclude={"digest", "attempt"}))
    else:
        Console().print(render(release, found))


def render(release: Release, found: TrainingPlan) -> Group:
    """The plan as two tables: what it runs on, and the pipeline's inputs."""
    facts = Table(box=None, show_header=False, pad_edge=False)
    serving = release.config.deployment
    compute = release.config.compute
    for name, value in (
        ("model", found.base_model),
        ("component", found.component),
        ("compute", f"{compute.name}: {compute.nodes} x {found.compute_size}"),
        ("endpoint", release.endpoint),
        ("deployment", f"{serving.instance_count} x {serving.instance_type}"),
        *(("note", note) for note in found.notes),
    ):
        facts.add_row(name, value)
    inputs = Table("Input", "Value", "Decided by", box=None, pad_edge=False)
    for name, parameter in sorted(found.parameters.items()):
        inputs.add_row(name, str(parameter.value), _WHO[parameter.origin])
    return Group(facts, "", inputs)


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
    try:
        return parse_config(file.read_bytes(), str(file))
    except InvalidConfigError as error:
        raise fail("\n".join(str(problem) for problem in error.errors)) from error
    except OSError as error:
        raise fail(f"{file}: {error.strerror}") from error


def _pins(
    project: str, url: str, key: str, state: Path, *, azure: bool
) -> tuple[dict[str, str], tuple[str, ...]]:
    """What the project's releases have resolved; a note if no running TuneOps says."""
    if azure and not url:
        return {}, (f"{NOT_ASKED}: give --url and --key to have it asked",)
    try:
        known = Target.find(url, key, state).project(project)
    except NoAnswerError as error:
        return {}, (f"{NOT_ASKED}: {error}",)
    return known.pins if known else {}, ()


def _release(file: Path, config: ProjectConfig, workspace_id: str, pins: dict[str, str]) -> Release:
    """The release that the config would begin, with files that stand for its data."""
    desired = Desired(
        project=config.name,
        commit="",
        path=str(file),
        config=config,
        source=Source(name="", version="", size=0),
    )
    brings = config.data
    validates = (
        brings.splits.validation if isinstance(brings, HubData) else brings.validation_percent
    )
    parts = ("train", "validation", "test") if validates else ("train", "test")
    data = PreparedData(
        digest="",
        folder="",
        train_rows=1,
        validation_rows=1 if validates else 0,
        test_rows=1,
        assets={part: f"azureml:{config.name}-{part}:(the prepared data)" for part in parts},
    )
    project = Project(name=config.name, pins=pins)
    release = start_release(desired, project, workspace_id, datetime.now(UTC))
    return release.replace(data=data)
