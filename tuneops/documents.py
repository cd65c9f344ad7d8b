"""Where each document is kept in the state container."""

REPOSITORY = "repository.json"
POLICY = "policy.json"
PROJECTS = "projects/"


def project(name: str) -> str:
    """The project's own document, which carries its lease."""
    return f"{PROJECTS}{name}.json"


def desired(name: str) -> str:
    """What git says of the project."""
    return f"desired/{name}.json"


def pull_request(number: int) -> str:
    """What a merged pull request has been told."""
    return f"pulls/{number}.json"


def release(name: str, number: int) -> str:
    """One release of the project."""
    return f"releases/{name}/{number:06d}.json"


def orders(name: str) -> str:
    """What people have ordered for the project beside git."""
    return f"orders/{name}.json"
