"""Where each document is kept in the state container."""

REPOSITORY = "repository.json"
POLICY = "policy.json"
REVIEWS = "reviews.json"
PROJECTS = "projects/"
DESIRED = "desired/"


def project(name: str) -> str:
    """The project's own document, which carries its lease."""
    return f"{PROJECTS}{name}.json"


def desired(name: str) -> str:
    """What git says of the project."""
    return f"{DESIRED}{name}.json"


def release(name: str, number: int) -> str:
    """One release of the project."""
    return f"releases/{name}/{number:06d}.json"


def name_in(path: str) -> str:
    """The project that a document of `PROJECTS` or `DESIRED` is of."""
    return path.rpartition("/")[2].removesuffix(".json")
