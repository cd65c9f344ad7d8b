"""An entry of the audit: an order that somebody gave, and what came of it. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tuneops.document import Document
from tuneops.scrub import scrub

Known = Literal["entra", "github", "key", "loopback"]
"""How the name is known: by Microsoft's or GitHub's sign-in. With a key, or on the machine itself,
it is what the caller says."""
Where = Literal["page", "api", "comment"]
Outcome = Literal["begun", "accepted", "refused", "failed"]

MAX_ENTRIES = 500
MAX_TEXT = 500
MAX_NAME = 200


@dataclass(frozen=True)
class Caller:
    """Who gives an order, and from where."""

    name: str
    known: Known
    where: Where


class Entry(Document):
    """One order. It is `begun` until it is known what came of it, which `said` says in words.

    `id` names the order: given again, be it by a message that came twice, it has the same. `link`
    is what it led to.
    """

    id: str
    at: datetime
    project: str
    action: str
    by: str
    known: Known
    where: Where
    what: str = ""
    reason: str = ""
    outcome: Outcome = "begun"
    said: str = ""
    link: str = ""
    ended: datetime | None = None

    def end(self, outcome: Outcome, said: str, at: datetime, link: str = "") -> "Entry":
        """The entry once it is known what came of the order."""
        return self.replace(outcome=outcome, said=clean(said), link=link[:MAX_TEXT], ended=at)


class Page(Document):
    """Entries of a project in a month, oldest first; what has no room goes to the next page."""

    entries: tuple[Entry, ...] = ()

    def has(self, entry: Entry) -> bool:
        """Whether there is one of its id."""
        return any(each.id == entry.id for each in self.entries)

    def put(self, entry: Entry) -> "Page":
        """The page with the entry, in place of one of its id; as it was if it has no room.

        What is known of an order is not forgotten when it is begun again, and what was accepted
        once stays so: told again, it may come too late.
        """
        known = next((each for each in self.entries if each.id == entry.id), None)
        if known is None:
            full = len(self.entries) >= MAX_ENTRIES
            return self if full else self.replace(entries=(*self.entries, entry))
        if entry.outcome == "begun" or known.outcome == "accepted":
            return self
        entries = tuple(entry if each.id == entry.id else each for each in self.entries)
        return self.replace(entries=entries)


def make_entry(
    identifier: str,
    project: str,
    action: str,
    caller: Caller,
    at: datetime,
    *,
    what: str = "",
    reason: str = "",
) -> Entry:
    """The entry of an order that is about to be carried out; foreign text is cut and cleaned."""
    return Entry(
        id=identifier,
        at=at,
        project=project,
        action=action,
        by=clean(caller.name, MAX_NAME) or "somebody",
        known=caller.known,
        where=caller.where,
        what=clean(what),
        reason=clean(reason),
    )


def clean(text: str, length: int = MAX_TEXT) -> str:
    """One line without secrets and control characters, of at most so many characters."""
    shown = "".join(each if each.isprintable() else " " for each in scrub(text))
    line = " ".join(shown.split())
    return line if len(line) <= length else f"{line[: length - 3]}..."
