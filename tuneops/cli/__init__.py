"""The command line: ``tuneops --help``."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tuneops.cli import data, local, plan, status
from tuneops.config_file import InvalidConfigError, json_schema, parse_config

app = typer.Typer(
    help="GitOps for fine-tuning language models on Azure Machine Learning.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(data.app, name="data", help="Training data.")
app.add_typer(local.app, name="local", help="The local cloud: TuneOps without Azure.")
app.command()(status.status)
app.command()(plan.plan)


@app.command()
def validate(
    paths: Annotated[list[Path], typer.Argument(help="Config files, or folders of them.")],
) -> None:
    """Check config files; print every error with file, line and field, and exit 1 if there is one.

    Example: tuneops validate finetune/
    """
    files = [file for path in paths for file in _config_files(path)]
    errors = [problem for file in files for problem in _problems(file)]
    for problem in errors:
        typer.echo(problem, err=True)
    if not files:
        typer.echo("no .yaml file there", err=True)
    if errors or not files:
        raise typer.Exit(1)
    Console().print(f"{len(files)} valid")


@app.command()
def schema() -> None:
    """Print the JSON Schema of a config file, for editors.

    Example: tuneops schema > schemas/project.schema.json
    """
    sys.stdout.write(json_schema())


def _config_files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml"))
    return [path]


def _problems(file: Path) -> list[str]:
    try:
        parse_config(file.read_bytes(), str(file))
    except InvalidConfigError as error:
        return [str(problem) for problem in error.errors]
    except OSError as error:
        return [f"{file}: {error.strerror}"]
    return []
