"""``tuneops init``."""

import json
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, ValidationError

from tuneops.cli.init_files import (
    FROM,
    HERE,
    SETTINGS_FILE,
    WORKFLOW_FILE,
    Answers,
    config_path,
    files,
)
from tuneops.cli.output import JsonOption, print_json
from tuneops.cli.target import fail
from tuneops.config_file import InvalidConfigError, parse_config
from tuneops.settings import read_config_json

GIT_SECONDS = 10


class Written(BaseModel):
    """The files that were written, and what to do next."""

    files: list[str]
    next: list[str]


def init(
    folder: Annotated[Path, typer.Argument(help="The repository of configs.")] = Path(),
    name: Annotated[str | None, typer.Option(help="The project's name.")] = None,
    model: Annotated[str | None, typer.Option(help="The base model in the registry.")] = None,
    data: Annotated[
        str | None, typer.Option(help="The data's folder in the container datasets.")
    ] = None,
    compute: Annotated[
        str | None, typer.Option(help="The cluster that trains, or serverless.")
    ] = None,
    repository: Annotated[
        str | None, typer.Option(help="This repository on GitHub: OWNER/NAME.")
    ] = None,
    branch: Annotated[str, typer.Option(help="The branch that counts.")] = "main",
    tuneops: Annotated[
        str | None,
        typer.Option(metavar=FROM, help="Where the workflow takes TuneOps from."),
    ] = None,
    policy: Annotated[
        bool | None, typer.Option(help="Write a policy, which bounds all configs.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing, take defaults.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the files that a repository of configs begins with, asking for what is not given.

    A config, the workflow that plans pull requests, the function app's settings without any secret,
    and a policy if wanted. Nothing is overwritten without --force.

    Example: tuneops init --name support-bot --repository contoso/models --yes
    """
    ask = _default if yes else _prompt
    name = name or ask("Project", _project_name(folder))
    answers = _checked(
        name=name,
        model=model or ask("Base model", "Phi-3-mini-4k-instruct"),
        data=data or ask("Folder of its training data", name),
        compute=compute or ask("Cluster, or serverless", "gpu-cluster"),
        repository=repository or ask("Repository on GitHub", _origin(folder) or HERE),
        branch=branch,
        tuneops=tuneops or ask("TuneOps from", _installed_from() or FROM),
        policy=not yes and _confirm("Write a policy?") if policy is None else policy,
        place=_place(),
    )
    made = files(answers)
    _check(answers, made)
    _write(folder, made, force=force)
    done = Written(files=list(made), next=_next(answers))
    if as_json:
        print_json(done)
        return
    for path in done.files:
        typer.echo(f"wrote {folder / path}")
    for place, step in enumerate(done.next, 1):
        typer.echo(f"{place}. {step}")


def _next(answers: Answers) -> list[str]:
    """What to do when the files are written."""
    here = f", {HERE} there" if answers.repository == HERE else ""
    version = f", {FROM} in {WORKFLOW_FILE}" if answers.tuneops == FROM else ""
    return [
        f"Fill in what stands in <> in {SETTINGS_FILE}{here}{version}, and give the function app "
        "these settings; 'tuneops doctor' finds what is missing.",
        f"Commit the files to a branch of {answers.repository} and open a pull request: it shows "
        "the plan, and merging it begins the project.",
        f"Upload training data: tuneops data upload {answers.name} FILE",
    ]


def _checked(**given: Any) -> Answers:
    try:
        return Answers(**given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise fail(f"--{first['loc'][0]}: {first['msg']}") from error


def _check(answers: Answers, made: dict[str, str]) -> None:
    """Let nothing be written that 'tuneops validate' refuses."""
    path = config_path(answers)
    try:
        parse_config(made[path], path)
    except InvalidConfigError as error:
        raise fail("\n".join(map(str, error.errors))) from error


def _write(folder: Path, made: dict[str, str], *, force: bool) -> None:
    there = [path for path in made if (folder / path).exists() or (folder / path).is_symlink()]
    if there and not force:
        raise fail(f"{', '.join(there)} in {folder} would be overwritten: give --force to do so")
    for path, text in made.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)  # a link is replaced, not followed
        file.write_text(text)


def _prompt(question: str, default: str) -> str:
    return str(typer.prompt(question, default=default, err=True))


def _default(question: str, default: str) -> str:
    return default


def _confirm(question: str) -> bool:
    return typer.confirm(question, default=False, err=True)


def _project_name(folder: Path) -> str:
    """The folder's name as a project may be called."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")[:24].strip("-")
    return name if re.fullmatch("[a-z][a-z0-9-]+", name) else "my-model"


def _origin(folder: Path) -> str:
    """OWNER/NAME by git's remote, empty without one."""
    line = ["git", "-C", str(folder), "remote", "get-url", "origin"]
    try:
        done = subprocess.run(
            line, capture_output=True, text=True, check=False, timeout=GIT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"[:/]([\w-]+/[\w.-]+?)(\.git)?/?\s*$", done.stdout)
    return found[1] if found and not done.returncode else ""


def _installed_from() -> str:
    """OWNER/REPOSITORY@COMMIT when pip has installed it from GitHub, by its own record."""
    try:
        record = json.loads(metadata.distribution("tuneops").read_text("direct_url.json") or "{}")
    except (metadata.PackageNotFoundError, ValueError):
        return ""
    found = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(\.git)?", record.get("url", ""))
    commit = record.get("vcs_info", {}).get("commit_id", "")
    return f"{found[1]}@{commit}" if found and commit else ""


def _place() -> dict[str, str]:
    """The workspace of config.json, if it lies here."""
    try:
        return read_config_json()
    except ValueError as error:
        raise fail(str(error)) from error
