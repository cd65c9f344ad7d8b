"""The part of a project's page where orders are given, and the last ones stand."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tuneops import documents
from tuneops.audit.reading import Audit, read_recent
from tuneops.desired import Desired
from tuneops.names import environment_of
from tuneops.orders import Orders
from tuneops.page.access import Visitor
from tuneops.page.form_key import read_form_key
from tuneops.page.forms import make_token
from tuneops.page.offers import DONE, Offer, Standing, offers, why_not_act
from tuneops.project import Project
from tuneops.services import NoSourceError, Services

SHOWN = 12


@dataclass(frozen=True)
class Actions:
    """What ``actions.html`` and ``audit.html`` show; `notice` says what was just ordered."""

    project: str
    offers: tuple[Offer, ...]
    why_not: str
    token: str
    notice: str
    audit: Audit


def read_actions(
    name: str, visitor: Visitor, query: Mapping[str, str], services: Services, now: datetime
) -> Actions:
    """What may be ordered of a project now, and what was.

    Raises:
        UnreadableError: a document of it is none of this version.
    """
    why_not = why_not_act(visitor)
    offered: tuple[Offer, ...] = ()
    try:
        offered = offers(read_standing(name, services), visitor)
    except NoSourceError as error:
        why_not = f"Nothing is done for it: {error}."
    return Actions(
        project=name,
        offers=offered,
        why_not=why_not,
        token="" if why_not else make_token(read_form_key(services.store), visitor, name, now),
        notice=DONE.get(query.get("done", ""), ""),
        audit=read_recent(services.store, name, SHOWN),
    )


def read_standing(name: str, services: Services) -> Standing:
    """How a project stands.

    Raises:
        NoSourceError: the settings have no source for its environment.
        UnreadableError: a document of it is none of this version.
    """
    services, store = services.of(environment_of(name)), services.store
    project = store.read(documents.project(name), Project)
    known = project.value if project else Project(name=name)
    desired = store.read(documents.desired(name), Desired)
    orders = store.read(documents.orders(name), Orders)
    newest = services.release(name, known.current)
    nothing = Desired(project=name, commit="", path="", config=None)
    return Standing(
        project=known,
        desired=desired.value if desired else nothing,
        orders=orders.value if orders else Orders(),
        newest=newest.value if newest else None,
        demand=services.policy_demand(name),
    )
