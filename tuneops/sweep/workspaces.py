"""Which workspaces are swept."""

from tuneops.services import Services


def workspaces(services: Services) -> dict[str, list[str]]:
    """The first environment of each workspace, with all that share it."""
    found: dict[str, list[str]] = {}
    first: dict[str, str] = {}
    for source in services.settings.config_sources:
        path = services.of(source.environment).workspace.id.lower()
        found.setdefault(first.setdefault(path, source.environment), []).append(source.environment)
    return found
