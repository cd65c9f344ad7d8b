"""The command line: ``tuneops --help``."""

import typer

from tuneops.cli import (
    approve,
    ask,
    audit,
    compare,
    cost,
    data,
    doctor,
    events,
    init,
    local,
    logs,
    metrics,
    plan,
    releases,
    rollback,
    show,
    status,
    suspend,
    sweep,
    validate,
)
from tuneops.cli.root import Root, options

app = typer.Typer(
    cls=Root,
    callback=options,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(data.app, name="data", help="Training data.")
app.add_typer(local.app, name="local", help="The local cloud: TuneOps without Azure.")
app.command()(init.init)
app.command()(validate.validate)
app.command()(validate.schema)
app.command()(status.status)
app.command()(releases.releases)
app.command()(show.show)
app.command()(logs.logs)
app.command()(metrics.metrics)
app.command()(compare.compare)
app.command()(ask.ask)
app.command()(cost.cost)
app.command()(plan.plan)
app.command()(rollback.rollback)
app.command()(rollback.retry)
app.command()(approve.approve)
app.command()(suspend.suspend)
app.command()(suspend.resume)
app.command()(audit.audit)
app.command()(events.events)
app.command()(sweep.sweep)
app.command()(doctor.doctor)
app.command()(sweep.restore)
