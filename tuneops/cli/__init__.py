"""The command line: ``tuneops --help``."""

import typer

from tuneops.cli import approve, cost, data, doctor, local, plan, rollback, status, sweep, validate

app = typer.Typer(
    help="GitOps for fine-tuning language models on Azure Machine Learning.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(data.app, name="data", help="Training data.")
app.add_typer(local.app, name="local", help="The local cloud: TuneOps without Azure.")
app.command()(validate.validate)
app.command()(validate.schema)
app.command()(status.status)
app.command()(cost.cost)
app.command()(plan.plan)
app.command()(rollback.rollback)
app.command()(rollback.retry)
app.command()(approve.approve)
app.command()(sweep.sweep)
app.command()(doctor.doctor)
app.command()(sweep.restore)
