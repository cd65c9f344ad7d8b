"""Where each document is kept in the state container."""

from collections.abc import Iterable

from tuneops import names

PROJECTS = "projects/"
DESIRED = "desired/"
ORDERS = "orders/"
SWEPT = "swept/"
AUDIT = "audit/"
EVENTS = "events/"
"""What became of events, a folder for each day."""
FORM_KEY = "page/forms.json"
OVERVIEW = "overview.json"
"""What people see of all projects at once, but for their cards."""
CARDS = "overview/"
GATHERED = "gathered.json"
"""When somebody asked last that all projects are looked at for what changed."""
MAILBOXES = "mailboxes/"
CHANNELS = "channels/"


def repository(environment: str) -> str:
    """What was read of the environment's repository, which carries the lease of its syncs."""
    return f"repositories/{environment}.json" if environment else "repository.json"


def policy(environment: str) -> str:
    """The policy that is in force in the environment."""
    return f"policies/{environment}.json" if environment else "policy.json"


def reservations(environment: str) -> str:
    """Room that the environment's projects have taken for deployments that may not be seen yet."""
    return f"reservations/{environment}.json" if environment else "reservations.json"


def summary(environment: str) -> str:
    """The environment's last daily summary, which carries the lease of telling it."""
    return f"summaries/{environment}.json" if environment else "summary.json"


def reviews(environment: str) -> str:
    """The environment's open pull requests, and what each was reviewed as."""
    return f"reviews/{environment}.json" if environment else "reviews.json"


def previews(environment: str) -> str:
    """The environment's previews of pull requests."""
    return f"previews/{environment}.json" if environment else "previews.json"


def project(name: str) -> str:
    """The project's own document, which carries its lease."""
    return f"{PROJECTS}{name}.json"


def desired(name: str) -> str:
    """What git says of the project."""
    return f"{DESIRED}{name}.json"


def pull_request(repository: str, number: int) -> str:
    """What a merged pull request has been told; environments may share the repository."""
    return f"pulls/{repository.lower()}/{number}.json"


def asking(repository: str, number: int) -> str:
    """What is asked on a merged pull request."""
    return f"asking/{repository.lower()}/{number}.json"


def heard(repository: str, number: int) -> str:
    """The comments on a merged pull request that were answered."""
    return f"heard/{repository.lower()}/{number}.json"


def desired_projects(paths: Iterable[str]) -> set[str]:
    """The projects whose `desired` documents have these paths."""
    return {name_in(path) for path in paths}


def cards(name: str) -> str:
    """The cards of a sixteenth of all projects, this one's among them."""
    return f"{CARDS}{names.digest(name)[0]}.json"


def releases(name: str) -> str:
    """Where all releases of the project are."""
    return f"releases/{name}/"


def release(name: str, number: int) -> str:
    """One release of the project."""
    return f"releases/{name}/{number:06d}.json"


def orders(name: str) -> str:
    """What people have ordered for the project beside git."""
    return f"{ORDERS}{name}.json"


def name_in(path: str) -> str:
    """The project that a document of `PROJECTS`, `DESIRED` or `ORDERS` is of."""
    return path.rpartition("/")[2].removesuffix(".json")


def tick(timer: str) -> str:
    """When a timer ran last."""
    return f"ticks/{timer}.json"


def findings(workspace_id: str) -> str:
    """What belongs to nothing in a workspace, which carries the lease of its sweeps."""
    return f"sweeps/{names.digest(workspace_id.lower())}.json"


def swept(identifier: str) -> str:
    """What was swept away, to bring it back, which carries the lease of its restoration."""
    return f"{SWEPT}{identifier}.json"


def audit(name: str, month: str, page: int) -> str:
    """The orders that were given for a project in a month, as 2026-11; `-` is for those of none."""
    more = f"~{page:03d}" if page > 1 else ""
    return f"{AUDIT}{name or '-'}/{month}{more}.json"


def mailboxes(stream: str) -> str:
    """Where all mailboxes of a stream are; see `names.STREAM`."""
    return f"{MAILBOXES}{stream}/"


def mailbox(channel: str, stream: str) -> str:
    """What a channel is owed of a stream, and got of it."""
    return f"{mailboxes(stream)}{channel}.json"


def mailbox_in(path: str) -> tuple[str, str]:
    """The channel and the stream whose mailbox has this path."""
    stream, _, channel = path.removeprefix(MAILBOXES).partition("/")
    return channel.removesuffix(".json"), stream


def carriers(stream: str) -> str:
    """Where the leases are of those who empty a stream's mailboxes."""
    return f"carriers/{stream}/"


def carrier(channel: str, stream: str) -> str:
    """Carries the lease of the one who empties the mailbox, to which others add meanwhile."""
    return f"{carriers(stream)}{channel}.json"


def health(channel: str, environment: str) -> str:
    """How a channel fares; without an environment one that all of them share."""
    return f"{CHANNELS}{environment or '_'}/{channel}.json"
