"""Where orders are given, from the API as from the page: each has its entry in the audit."""

import hashlib
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tuneops import approval, documents, rollback, suspending
from tuneops.approval import ApprovalOrder
from tuneops.audit import journal
from tuneops.audit.entry import Caller, Entry, make_entry
from tuneops.desired import Desired
from tuneops.going_back import RefusedError
from tuneops.names import PROJECT_KEY, environment_of, is_preview
from tuneops.rollback import Answer, Order, RollbackOrder, UnknownProjectError
from tuneops.rollout.approval_text import about
from tuneops.services import NoSourceError, Services


@dataclass(frozen=True)
class Desk:
    """Takes somebody's orders for one project.

    All orders raise `UnknownProjectError` and `RefusedError` when they can't be carried out.
    """

    project: str
    caller: Caller
    services: Services
    now: datetime

    @classmethod
    def of(cls, project: str, caller: Caller, services: Services, now: datetime) -> "Desk":
        """The desk of a project, with the services of its environment.

        Raises:
            UnknownProjectError: it was never heard of, or no source is of its environment.
        """
        unknown = UnknownProjectError(f"there is no project {project[:80]!r}")
        if not re.fullmatch(PROJECT_KEY, project):
            raise unknown
        try:
            own = services.of(environment_of(project))
        except NoSourceError as error:
            raise UnknownProjectError(f"{unknown} in any source") from error
        if own.store.read(documents.desired(project), Desired) is None:
            raise unknown
        return cls(project, caller, own, now)

    def go_back(self, order: RollbackOrder) -> Answer:
        """Go back, be it by git or by a pin; to ask how that is done is no order.

        Raises:
            NotProposedError: GitHub does not take it.
        """
        if order.action == "print":
            return self._go_back(order)
        action = "rollback" if order.action == "propose" else order.action
        what = f"to release {order.to}" if order.to else ""
        return self._give(action, order, lambda: self._go_back(order), what)

    def _go_back(self, order: RollbackOrder) -> Answer:
        name = self.project
        if is_preview(name):
            raise RefusedError(f"{name} is a preview: push to its pull request, or close it")
        if order.action == "pin":
            return rollback.pin(name, order, self.services, self.now)
        if order.action == "unpin":
            return rollback.unpin(name, order, self.services)
        return rollback.propose(name, order, self.services)

    def retry(self, order: Order) -> Answer:
        """Try again what failed, or what was rolled back."""
        return self._give(
            "retry", order, lambda: rollback.retry(self.project, order, self.services, self.now)
        )

    def approve(self, order: ApprovalOrder) -> Answer:
        """Approve what a release waits for, or reject it; the policy's names are for the page."""
        on_page = self.caller.where == "page" and self.caller.known == "entra"
        entra = self.caller.name if on_page else ""

        def do() -> Answer:
            return approval.without_github(self.project, order, self.services, self.now, entra)

        action = "reject" if order.reject else "approve"
        return self._give(action, order, do, about(order.release, order.share))

    def suspend(self, order: Order) -> Answer:
        """Have everything stay as it is until it is resumed."""
        return self._give(
            "suspend",
            order,
            lambda: suspending.suspend(self.project, order, self.services, self.now),
        )

    def resume(self, order: Order) -> Answer:
        """Have it go on."""
        return self._give(
            "resume", order, lambda: suspending.resume(self.project, order, self.services)
        )

    def refuse(self, action: str, order: Order, why: str) -> None:
        """Take no order of somebody who may give none; it has its entry all the same.

        However often they try, it is one entry an hour, of the last time: nobody without the role
        fills the audit. The log has each.
        """
        tried = (self.caller.known, self.caller.name, action, f"{self.now:%Y-%m-%dT%H}")
        identifier = hashlib.sha256(json.dumps(tried).encode()).hexdigest()[:12]
        entry = self._entry(action, order).replace(id=identifier)
        journal.write(self.services.store, entry.end("refused", why, self.now))

    def _give(self, action: str, order: Order, do: Callable[[], Answer], what: str = "") -> Answer:
        return journal.audited(self._entry(action, order, what), self.services.store, do)

    def _entry(self, action: str, order: Order, what: str = "") -> Entry:
        return make_entry(
            uuid.uuid4().hex[:12],
            self.project,
            action,
            self.caller,
            self.now,
            what=what,
            reason=order.reason,
        )
