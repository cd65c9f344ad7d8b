"""Where each document is kept in the state container."""

from collections.abc import Iterable

PROJECTS = "projects/"


def repository(environment: str) -> str:
    """What was read of the environment's repository, which carries the lease of its syncs."""
    return f"repositories/{environment}.json" if environment else "repository.json"


def policy(environment: str) -> str:
    """The policy that is in force in the environment."""
    return f"policies/{environment}.json" if environment else "policy.json"


def project(name: str) -> str:
    """The project's own document, which carries its lease."""
    return f"{PROJECTS}{name}.json"


def desired(name: str) -> str:
    """What git says of the project."""
    return f"desired/{name}.json"


def pull_request(repository: str, number: int) -> str:
    """What a merged pull request has been told; environments may share the repository."""
    return f"pulls/{repository.lower()}/{number}.json"


def desired_projects(paths: Iterable[str]) -> set[str]:
    """The projects whose `desired` documents have these paths."""
    return {path.removeprefix("desired/").removesuffix(".json") for path in paths}


def release(name: str, number: int) -> str:
    """One release of the project."""
    return f"releases/{name}/{number:06d}.json"


def orders(name: str) -> str:
    """What people have ordered for the project beside git."""
    return f"orders/{name}.json"
