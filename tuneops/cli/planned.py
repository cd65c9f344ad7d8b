"""What ``tuneops plan`` finds: each config, set beside what runs or what stood there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuneops import planning
from tuneops.azureml.errors import RefusedError, UnavailableError
from tuneops.azureml.workspace import Workspace
from tuneops.changes import may_change
from tuneops.cli.against import Before
from tuneops.cli.channels import channel_problem
from tuneops.cli.files import read_config, yaml_files
from tuneops.cli.policies import policies_near, read_policy
from tuneops.cli.target import NoAnswerError, Target, fail
from tuneops.config import ProjectConfig
from tuneops.desired import Desired
from tuneops.document import Document
from tuneops.estimates import Forecast
from tuneops.gitops.review_text import Finding
from tuneops.names import project_key
from tuneops.outcome import Kind, Outcome, outcome, removal
from tuneops.policy import FILE as POLICY_FILE
from tuneops.policy import Policy
from tuneops.prepared import PreparedData
from tuneops.previews.text import foretold
from tuneops.project import Project
from tuneops.prospect import prospect
from tuneops.release import Release, TrainingPlan
from tuneops.status import ProjectStatus

_AT_REST = (Kind.NOTHING, Kind.SUSPENDED)
NOT_ASKED = "what runs is not known: {what}latest is taken as the newest version"
AS_NEW = "everything is taken as new, "


class PlannedProject(Document):
    """What a config file would do."""

    file: str
    project: str
    outcome: Outcome
    plan: TrainingPlan
    endpoint: str
    deployment: str
    forecast: Forecast
    data: PreparedData | None = None


class RemovedProject(Document):
    """A project whose config is there no more; `removal` says what becomes of what serves."""

    file: str
    project: str
    outcome: Outcome = Outcome(kind=Kind.REMOVE)
    removal: str


@dataclass(frozen=True)
class Found:
    """What a plan has found: the projects, those that can't be carried out, and broken files."""

    planned: list[PlannedProject]
    removed: list[RemovedProject]
    refused: list[Finding]
    errors: list[str]

    @property
    def findings(self) -> list[Finding]:
        """The projects as a pull request's comment has them."""
        planned = (
            Finding(
                project=each.project,
                path=each.file,
                outcome=each.outcome,
                plan=each.plan,
                data=each.data,
                forecast=each.forecast,
            )
            for each in self.planned
        )
        removed = (
            Finding(project=each.project, path=each.file, removal=each.removal)
            for each in self.removed
        )
        return [*planned, *removed, *self.refused]

    @property
    def changes(self) -> bool:
        """Whether anything would be done."""
        return bool(self.removed) or any(p.outcome.kind not in _AT_REST for p in self.planned)

    @property
    def wrong(self) -> list[str]:
        """Everything that keeps the configs from being carried out."""
        return [*self.errors, *(f"{each.path}: {each.problem}" for each in self.refused)]


def find(
    path: Path,
    environment: str,
    earlier: Before | None,
    workspace: Workspace,
    target: Target | None,
) -> Found:
    """What the configs below `path` would do in the environment.

    `earlier` is what they are set beside; without it, that is what runs, if `target` tells.

    Raises:
        typer.Exit: there is no config.
    """
    files = _files(path, earlier)
    read = {file: read_config(file) for file in files}
    policies, errors = _policies(path)
    errors += [problem for _, problems in read.values() for problem in problems]
    found = Found([], [], [], errors)
    configs = {file: config for file, (config, _) in read.items() if config}
    for file, config in configs.items():
        name = project_key(environment, config.name)
        try:
            found.planned.append(_planned(file, name, config, earlier, workspace, target, policies))
        except (RefusedError, UnavailableError) as error:
            found.refused.append(Finding(project=name, path=str(file), problem=str(error)))
    if earlier:
        broken = [file for file, (config, _) in read.items() if config is None]
        present = {config.name for config in configs.values()}
        found.removed.extend(_removed(earlier, environment, present, broken))
    return found


def _removed(
    earlier: Before, environment: str, present: set[str], broken: Sequence[Path]
) -> Iterator[RemovedProject]:
    """The projects that are gone; one whose file has errors now stays as it was."""
    kept = [f"{file.parent.resolve().as_posix()}/{file.name}" for file in broken]
    for gone, config in earlier.configs.items():
        file = earlier.files[gone]
        if gone not in present and not any(each.endswith(f"/{file}") for each in kept):
            name = project_key(environment, gone)
            yield RemovedProject(file=file, project=name, removal=removal(config))


def _planned(
    file: Path,
    name: str,
    config: ProjectConfig,
    earlier: Before | None,
    workspace: Workspace,
    target: Target | None,
    policies: Sequence[Policy],
) -> PlannedProject:
    known, note = _known(name, target, earlier)
    desired = Desired(project=name, commit="", path=str(file), config=config)
    project = Project(name=name)
    if known:
        project = project.replace(pins=known.pins, trainings=known.trainings)
    newest = known.release if known else None
    seen = prospect(workspace, desired, config, project, newest, policies)
    if wrong := [each for each in (*seen.forbidden, channel_problem(config)) if each]:
        raise RefusedError("; ".join(wrong))
    stood: tuple[ProjectConfig | None, TrainingPlan | None] = (None, None)
    if earlier:
        stood = _stood(earlier.configs.get(config.name), seen.release, workspace)
    elif newest:
        stood = newest.config, newest.training
    return PlannedProject(
        file=str(file),
        project=name,
        outcome=outcome(config, seen.plan, *stood),
        plan=seen.plan.replace(
            notes=(*seen.plan.notes, *note, *_who(name, policies), *_preview(config, policies))
        ),
        endpoint=seen.release.endpoint,
        deployment=str(config.deployment),
        forecast=seen.forecast,
        data=seen.data,
    )


def _preview(config: ProjectConfig, policies: Sequence[Policy]) -> Iterator[str]:
    """The preview that a pull request with this config asks for."""
    bounds = [policy.previews.max_hours for policy in policies if policy.previews]
    yield from foretold(config, min([config.preview_hours, *bounds]), policies)


def _who(project: str, policies: Sequence[Policy]) -> Iterator[str]:
    """Who may bring a change to the tracked branch, where a policy says that."""
    for policy in policies:
        if who := may_change(policy.changes, project):
            yield f"may be merged by {', '.join(who)} alone: changes of {POLICY_FILE}"


def _stood(
    config: ProjectConfig | None, release: Release, workspace: Workspace
) -> tuple[ProjectConfig | None, TrainingPlan | None]:
    """The config that stood there, and what it trains with if that can still be said."""
    if config is None:
        return None, None
    try:
        return config, planning.plan(workspace, release.replace(config=config))
    except RefusedError:
        return None, None


def _policies(path: Path) -> tuple[list[Policy], list[str]]:
    read = [read_policy(file) for file in policies_near(path)]
    errors = [problem for _, problems in read for problem in problems]
    return [policy for policy, _ in read if policy], errors


def _known(
    project: str, target: Target | None, earlier: Before | None
) -> tuple[ProjectStatus | None, tuple[str, ...]]:
    """The running project; a note if nobody could be asked for it."""
    note = NOT_ASKED.format(what="" if earlier else AS_NEW)
    if target is None:
        return None, (f"{note}: give --url and --key to have it asked",)
    try:
        return target.project(project), ()
    except NoAnswerError as error:
        return None, (f"{note}: {error}",)


def _files(path: Path, earlier: Before | None) -> list[Path]:
    """The config files; of those that can be set beside earlier ones, what differs."""
    files = [file for file in yaml_files(path) if file.name != POLICY_FILE]
    if earlier:
        return [file for file in files if file.parent.resolve() / file.name in earlier.changed]
    if not files:
        raise fail(f"{path} has no config file: none ends in .yaml or .yml")
    return files
