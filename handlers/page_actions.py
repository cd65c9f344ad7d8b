"""Orders from the page: each is a plain form, taken only from the page itself."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from urllib.parse import quote

from handlers import page
from tuneops import rollback
from tuneops.approval import ApprovalOrder
from tuneops.audit.entry import MAX_NAME, Caller, clean
from tuneops.going_back import RefusedError
from tuneops.ordering import Desk
from tuneops.page import confirmation, forms
from tuneops.page.actions import read_standing
from tuneops.page.answer import Answer, see_other
from tuneops.page.asked import Asked
from tuneops.page.confirmation import Confirmation
from tuneops.page.form_key import read_form_key
from tuneops.page.forms import Form, FormError
from tuneops.page.offers import CONFIRMED, why_not_act
from tuneops.page.visit import Visit
from tuneops.rollback import NotProposedError, Order, RollbackOrder, UnknownProjectError
from tuneops.services import Services
from tuneops.store import UnreadableError

log = logging.getLogger(__name__)


class NotTheirsError(Exception):
    """Whoever sends the form may not; the message says why."""


def handle(asked: Asked, services: Services) -> Answer:
    """What comes of a form that was sent."""
    return page.shown(asked, services, lambda visit: _taken(visit, services))


def _taken(visit: Visit, services: Services) -> Answer:
    """What the form leads to, if it is one of the page's own.

    Who had to sign in anew comes back by a GET, which changes nothing: they find the form again.
    """
    asked = visit.asked
    if asked.method == "GET":
        return see_other(asked.link(f"/projects/{quote(asked.parameters['project'], safe='~')}"))
    if asked.method != "POST":
        return _problem(visit, "a form of the page sends this", HTTPStatus.METHOD_NOT_ALLOWED)
    if asked.parameters["action"] not in _ORDERS:
        return _problem(visit, "there is no such order here", HTTPStatus.NOT_FOUND)
    if not forms.is_same_origin(asked, services.settings.page_url):
        log.warning("a form is not the page's own: %s", forms.told_of(asked))
        text = "this form was not sent from this page: open the project's page, and try there"
        return _problem(visit, text, HTTPStatus.FORBIDDEN)
    try:
        return _ordered(visit, forms.read_form(asked), services, services.now())
    except FormError as error:
        return _problem(visit, str(error), HTTPStatus.BAD_REQUEST)
    except NotTheirsError as error:
        return _problem(visit, str(error), HTTPStatus.FORBIDDEN)
    except UnknownProjectError as error:
        return _problem(visit, str(error), HTTPStatus.NOT_FOUND)
    except (RefusedError, UnreadableError) as error:
        return _problem(visit, str(error), HTTPStatus.CONFLICT)
    except NotProposedError as error:
        return _problem(visit, str(error), HTTPStatus.BAD_GATEWAY, error.commands)


def _ordered(visit: Visit, form: Form, services: Services, now: datetime) -> Answer:
    """What the order leads to; one that has to be confirmed is asked back first.

    Raises:
        NotTheirsError: the visitor may order nothing, or the form is not made for them.
    """
    who, parameters = visit.visitor, visit.asked.parameters
    project, action, name = parameters["project"], parameters["action"], clean(who.name, MAX_NAME)
    desk = Desk.of(project, Caller(name, who.by, "page"), services, now)
    if why_not := why_not_act(who):
        desk.refuse(action, Order(by=name, reason=form.reason), why_not)
        raise NotTheirsError(why_not)
    if not forms.is_good_token(form.token, read_form_key(services.store), who, project, now):
        raise NotTheirsError(
            "this form is too old, or was made for somebody else: load the page again"
        )
    if action in CONFIRMED and not form.confirmed:
        return _confirm(visit, form, desk)
    done = _ORDERS[action](desk, form, name)
    return see_other(visit.asked.link(f"/projects/{project}", done=done))


def _confirm(visit: Visit, form: Form, desk: Desk) -> Answer:
    """What will happen, with a form that has it happen."""
    number = None
    if visit.asked.parameters["action"] == "suspend":
        shown = confirmation.suspending(desk.project, read_standing(desk.project, desk.services))
    else:
        number, shown = _going_back(form, desk)
    where = visit.asked.parameters
    return visit.html(
        "confirm.html",
        shown=shown,
        form=form,
        to=number,
        project=where["project"],
        action=where["action"],
    )


def _going_back(form: Form, desk: Desk) -> tuple[int, Confirmation]:
    name, number, said = desk.project, form.to, ""
    if form.how == "propose":
        known = desk.go_back(RollbackOrder(action="print", to=number))
        number, said = known.release, known.text
    live, target = rollback.chosen(name, number, desk.services)
    return target.number, confirmation.going_back(name, live, target, form.how, said)


def _rollback(desk: Desk, form: Form, name: str) -> str:
    action = "pin" if form.how == "pin" else "propose"
    order = RollbackOrder(action=action, to=form.to, by=name, reason=form.reason)
    desk.go_back(order)
    return "pin" if form.how == "pin" else "rollback"


def _unpin(desk: Desk, form: Form, name: str) -> str:
    desk.go_back(RollbackOrder(action="unpin", by=name, reason=form.reason))
    return "unpin"


def _approve(desk: Desk, form: Form, name: str) -> str:
    desk.approve(_answer(form, name, reject=False))
    return "approve"


def _reject(desk: Desk, form: Form, name: str) -> str:
    desk.approve(_answer(form, name, reject=True))
    return "reject"


def _answer(form: Form, name: str, *, reject: bool) -> ApprovalOrder:
    return ApprovalOrder(
        release=form.release, share=form.share, reject=reject, by=name, reason=form.reason
    )


def _retry(desk: Desk, form: Form, name: str) -> str:
    desk.retry(Order(by=name, reason=form.reason))
    return "retry"


def _suspend(desk: Desk, form: Form, name: str) -> str:
    desk.suspend(Order(by=name, reason=form.reason))
    return "suspend"


def _resume(desk: Desk, form: Form, name: str) -> str:
    desk.resume(Order(by=name, reason=form.reason))
    return "resume"


_ORDERS: Mapping[str, Callable[[Desk, Form, str], str]] = {
    "retry": _retry,
    "approve": _approve,
    "reject": _reject,
    "rollback": _rollback,
    "unpin": _unpin,
    "suspend": _suspend,
    "resume": _resume,
}


def _problem(
    visit: Visit, text: str, status: HTTPStatus, commands: list[str] | None = None
) -> Answer:
    project = visit.asked.parameters["project"]
    log.warning("an order is refused (%d): %s", status, clean(text))
    return visit.html("refused.html", status, text=text, project=project, commands=commands or [])
