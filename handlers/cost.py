"""What runs and what it costs, as JSON."""

from datetime import UTC, datetime
from http import HTTPStatus

from tuneops.cost.bill import Bills
from tuneops.cost.report import read_bill_or_problem
from tuneops.services import Services


def handle(environment: str | None, services: Services) -> tuple[HTTPStatus, str]:
    """The answer to a question for one environment, or for all of them."""
    names = [source.environment for source in services.settings.config_sources]
    if environment is not None and environment not in names:
        return HTTPStatus.NOT_FOUND, '{"error": "there is no environment of that name"}'
    asked = names if environment is None else [environment]
    now = datetime.now(UTC)
    found = [read_bill_or_problem(services.of(each), now) for each in asked]
    return HTTPStatus.OK, Bills(environments=tuple(found)).model_dump_json()
