"""The previews of a source: who has a place, who waits for one, and what is over. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal

from tuneops.document import Document


class Entry(Document):
    """A preview, as its pull request has asked for it at its newest commit, `head`.

    It `waits` for a place, or has one while it is `on` and while it is `ending`. What is `over` is
    remembered until the pull request is closed, so that the same commit does not begin anew.
    `since` is when it came, `begun` when this commit did. `why` says why it ends; `closed`: because
    the pull request is, and `merged`: because it was merged.
    """

    number: int
    head: str
    hours: int
    data_path: str = ""
    since: datetime
    begun: datetime
    state: Literal["waits", "on", "ending", "over"] = "waits"
    why: str = ""
    closed: bool = False
    merged: bool = False

    @property
    def until(self) -> datetime:
        """When its time is over."""
        return self.begun + timedelta(hours=self.hours)

    @property
    def has_place(self) -> bool:
        """Whether something of it is, or may be, there."""
        return self.state in ("on", "ending")


class Register(Document):
    """All previews of a source by what they are called."""

    entries: dict[str, Entry] = {}

    def of_pull(self, number: int) -> list[str]:
        """The previews for a pull request."""
        return [key for key, entry in self.entries.items() if entry.number == number]

    def with_data(self, blob: str) -> set[str]:
        """The previews whose data folder the blob is in."""
        return {
            key
            for key, entry in self.entries.items()
            if entry.has_place and entry.data_path and blob.startswith(entry.data_path)
        }

    def of_project(self, project: str) -> list[str]:
        """The previews of a project that have a place."""
        prefix = f"{project}~"
        return [k for k, entry in self.entries.items() if k.startswith(prefix) and entry.has_place]

    def asked(self, key: str, wanted: Entry, most: int) -> "Register":
        """The register after a pull request has asked for a preview, of `most` at once.

        Another commit begins anew; the same one goes on, or has had its time. Whoever waits is
        served in its turn.
        """
        known = self.entries.get(key)
        if known is None:
            return self._with(key, self._placed(key, wanted, most))
        same = known.head == wanted.head
        if same and known.state == "over":
            return self
        kept = {"since": known.since, "begun": known.begun if same else wanted.begun}
        if known.state == "ending" and known.closed:
            kept["begun"] = wanted.begun
        now = wanted.replace(**kept)
        if not known.has_place:
            return self._with(key, self._placed(key, now, most))
        if self._rank(key, known) >= most:
            return self.ended(key, f"the policy has room for {most}")
        return self._with(key, now.replace(state="on"))

    def ended(
        self, key: str, why: str, *, closed: bool = False, merged: bool = False
    ) -> "Register":
        """The register once nobody wants the preview any more; what is there is taken down."""
        known = self.entries.get(key)
        if known is None:
            return self
        if known.has_place:
            ends = {"state": "ending", "why": why, "closed": closed, "merged": merged}
            return self._with(key, known.replace(**ends))
        return self._without(key) if closed or known.state == "waits" else self

    def gone(self, key: str, now: datetime) -> "Register":
        """The register once nothing of the preview is there any more; its place is free."""
        known = self.entries.get(key)
        if known is None or not known.has_place:
            return self
        if known.state == "on" and now < known.until:
            return self
        if known.closed:
            return self._without(key)
        return self._with(key, known.replace(state="over"))

    def next_waiting(self, most: int) -> int | None:
        """The pull request whose turn it is, if there is a place."""
        waiting = self._waiting()
        free = sum(entry.has_place for entry in self.entries.values()) < most
        return self.entries[waiting[0]].number if waiting and free else None

    def outdated(self, heads: Mapping[int, str]) -> set[int]:
        """The pull requests that are not open any more, or not as they have asked for a preview."""
        return {
            entry.number
            for entry in self.entries.values()
            if entry.number not in heads
            or (entry.state in ("waits", "on") and entry.head != heads[entry.number])
        }

    def ending(self, now: datetime) -> Iterator[str]:
        """The previews that are being taken down, or that are to be."""
        for key, entry in self.entries.items():
            if entry.state == "ending" or (entry.state == "on" and entry.until <= now):
                yield key

    def _placed(self, key: str, wanted: Entry, most: int) -> Entry:
        held = sum(entry.has_place for entry in self.entries.values())
        ahead = [k for k in self._waiting() if k != key and self.entries[k].since < wanted.since]
        return wanted.replace(state="on" if held + len(ahead) < most else "waits")

    def _rank(self, key: str, known: Entry) -> int:
        """How many have a place that came before it."""
        own = (known.since, key)
        return sum(e.has_place and (e.since, k) < own for k, e in self.entries.items())

    def _waiting(self) -> list[str]:
        waiting = [key for key, entry in self.entries.items() if entry.state == "waits"]
        return sorted(waiting, key=lambda key: (self.entries[key].since, key))

    def _with(self, key: str, entry: Entry) -> "Register":
        return self.replace(entries={**self.entries, key: entry})

    def _without(self, key: str) -> "Register":
        return self.replace(entries={k: e for k, e in self.entries.items() if k != key})
