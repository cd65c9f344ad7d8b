"""What the sweep has found, and having some of it back, as people ask for it."""

import re
import uuid
from collections.abc import Mapping
from http import HTTPStatus

from handlers.rollback import answered, said
from tuneops import names
from tuneops.audit.entry import Caller, make_entry
from tuneops.audit.journal import audited
from tuneops.azureml.errors import RefusedError, UnavailableError
from tuneops.rollback import Answer, Order
from tuneops.services import Services
from tuneops.store import UnreadableError
from tuneops.sweep import restorer, view
from tuneops.sweep.restorer import NotRestorableError, UnknownRecordError


def handle_findings(look: str | None, services: Services) -> tuple[HTTPStatus, str]:
    """The answer to what belongs to nothing; ``now`` looks anew, and changes nothing."""
    if look not in (None, "now"):
        return said(HTTPStatus.BAD_REQUEST, "look: is 'now', or left out for the last sweep")
    try:
        seen = view.look(services, services.now()) if look else view.last(services)
    except (RefusedError, UnavailableError) as error:
        return said(HTTPStatus.BAD_GATEWAY, str(error))
    except UnreadableError as error:
        return said(HTTPStatus.CONFLICT, str(error))
    return HTTPStatus.OK, seen.model_dump_json()


def handle_restore(
    identifier: str, headers: Mapping[str, str], body: bytes, services: Services
) -> tuple[HTTPStatus, str]:
    """The answer to an order to bring something back."""

    def do(order: Order, caller: Caller) -> Answer:
        now = services.now()
        found = restorer.ordered(identifier, services)
        entry = make_entry(
            uuid.uuid4().hex[:12],
            found.project if re.fullmatch(names.PROJECT_KEY, found.project) else "",
            "restore",
            caller,
            now,
            what=found.label,
            reason=order.reason,
        )

        def give() -> Answer:
            return Answer(text=restorer.order(identifier, order.by, order.reason, services, now))

        return audited(entry, services.store, give, (UnknownRecordError, NotRestorableError))

    if not re.fullmatch(names.DIGEST, identifier):
        return said(HTTPStatus.NOT_FOUND, "an id has 12 letters and digits: see 'tuneops sweep'")
    try:
        return answered(Order, headers, body, do)
    except UnknownRecordError as error:
        return said(HTTPStatus.NOT_FOUND, str(error))
    except NotRestorableError as error:
        return said(HTTPStatus.CONFLICT, str(error))
