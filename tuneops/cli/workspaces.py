"""Which workspace a command asks itself."""

from pathlib import Path

from pydantic import ValidationError

from tuneops.cli.target import fail, local_workspace, read_connection, use_local_identity
from tuneops.settings import WorkspaceSettings


def settings_of(*, azure: bool, state: Path) -> WorkspaceSettings:
    """Yours in Azure, with your login; else the local cloud's, which this process then signs in to.

    Raises:
        typer.Exit: nothing says which it is, or there is no local cloud.
    """
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
