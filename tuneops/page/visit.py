"""One look of somebody at the page."""

from dataclasses import dataclass
from http import HTTPStatus

from tuneops.page import rendering
from tuneops.page.access import Visitor
from tuneops.page.answer import Answer, html
from tuneops.page.asked import Asked


@dataclass(frozen=True)
class Visit:
    """Who looks, and what they ask for."""

    asked: Asked
    visitor: Visitor

    def html(self, template: str, status: HTTPStatus = HTTPStatus.OK, **context: object) -> Answer:
        """A page from a template."""
        text = rendering.render(template, link=self.asked.link, visitor=self.visitor, **context)
        return html(text, status)

    def problem(self, title: str, text: str, status: HTTPStatus) -> Answer:
        """A page that says what is wrong."""
        return self.html("problem.html", status, title=title, text=text)
