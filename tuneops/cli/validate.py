"""``tuneops validate`` and ``tuneops schema``."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

from tuneops import config_file, policy_file
from tuneops.cli.annotation import annotation
from tuneops.cli.channels import channel_problem
from tuneops.cli.files import read_config, yaml_files
from tuneops.cli.output import JsonOption, print_json
from tuneops.cli.policies import policies_near, read_policy
from tuneops.notify.channels import published
from tuneops.policy import FILE as POLICY_FILE
from tuneops.policy import Policy, violations


class Validated(BaseModel):
    """How many files are valid, and every error of the others."""

    valid: int
    errors: list[str]


class Format(StrEnum):
    """What errors look like."""

    TEXT = "text"
    GITHUB = "github"


class Kind(StrEnum):
    """What has a schema: files, and the messages to webhooks."""

    PROJECT = "project"
    POLICY = "policy"
    MESSAGE = "message"


def validate(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders of them.")],
    as_json: JsonOption = False,
    shape: Annotated[
        Format,
        typer.Option("--format", help="github: annotations in a workflow of GitHub's, as well."),
    ] = Format.TEXT,
) -> None:
    """Check config files; print every error with file, line and field, and exit 1 if there is one.

    The policy, tuneops-policy.yaml, is checked when it is given, or is in the same folder or the
    one above; configs are then held against it. Where TUNEOPS_CHANNELS is set, the channels that
    configs choose are held against that.

    Example: tuneops validate finetune/
    """
    given = dict.fromkeys(file for path in paths for file in yaml_files(path))
    found = dict.fromkeys(file for path in paths for file in policies_near(path))
    configs = [file for file in given if file.name != POLICY_FILE]
    policies = {file.resolve(): file for file in (*given, *found) if file.name == POLICY_FILE}
    read = {file: read_policy(file) for file in policies.values()}
    in_force = [policy for policy, _ in read.values() if policy]
    wrong = {file: problems for file in configs if (problems := _problems(file, in_force))}
    told: dict[Path | None, list[str]] = {None: [] if given else ["no .yaml file there"]}
    for file, (_, problems) in read.items():
        told[file] = problems
    told.update(wrong.items())
    errors = [problem for problems in told.values() for problem in problems]
    valid = sum(policy is not None for policy, _ in read.values()) + len(configs) - len(wrong)
    if as_json:
        print_json(Validated(valid=valid, errors=errors))
    if shape == Format.GITHUB and not as_json:
        for where, problems in told.items():
            for problem in problems:
                typer.echo(annotation(where, problem))
    for problem in () if as_json else errors:
        typer.echo(problem, err=True)
    if errors:
        raise typer.Exit(1)
    if not as_json:
        typer.echo(f"{valid} valid")


def schema(
    kind: Annotated[Kind, typer.Argument(help="What it is for.")] = Kind.PROJECT,
) -> None:
    """Print the JSON Schema of a config file or of the policy's, for editors, or of a message.

    Example: tuneops schema > schemas/project.schema.json
    """
    schemas = {
        Kind.PROJECT: config_file.json_schema,
        Kind.POLICY: policy_file.json_schema,
        Kind.MESSAGE: published.json_schema,
    }
    sys.stdout.write(schemas[kind]())


def _problems(file: Path, policies: list[Policy]) -> list[str]:
    config, problems = read_config(file)
    if config is None:
        return problems
    wrong = [each for policy in policies for each in violations(policy, config, None, "")]
    wrong.append(channel_problem(config))
    return [f"{file}: {each}" for each in wrong if each]
