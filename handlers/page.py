"""The page's frame: who may look, the overview, and the files that pages link."""

import logging
import os
from collections.abc import Callable
from http import HTTPStatus
from mimetypes import guess_type
from urllib.parse import quote

from tuneops.overview.reading import read_overview
from tuneops.page import rendering
from tuneops.page.access import DeniedError, visitor
from tuneops.page.answer import Answer, etag, html, see_other, unless_known
from tuneops.page.asked import Asked
from tuneops.page.overview_view import NO_ENVIRONMENT, Filter, view
from tuneops.page.visit import Visit
from tuneops.page.way import way_in
from tuneops.services import Services
from tuneops.store import reading_once

KEPT_FOR_EVER = "public, max-age=31536000, immutable"

log = logging.getLogger(__name__)


def handle(asked: Asked, services: Services) -> Answer:
    """The overview of all projects."""

    def show(visit: Visit) -> Answer:
        stored, query = read_overview(services.store), visit.asked.query
        wanted = Filter.of(query)
        seen = view(stored.value if stored else None, services.settings.config_sources, wanted)
        return visit.html(
            "overview.html", view=seen, code=query.get("code"), none_named=NO_ENVIRONMENT
        )

    return shown(asked, services, show)


def shown(asked: Asked, services: Services, show: Callable[[Visit], Answer]) -> Answer:
    """What `show` makes for whoever asks, if the page is for them; 304 if they have it already."""
    way = way_in(os.environ)
    if way != "key":
        asked = asked.without_key()
    try:
        who = visitor(asked, way, services.settings.page_reader_role)
    except DeniedError as error:
        return _denied(asked, error)
    if asked.method != "GET":
        return show(Visit(asked, who))
    with reading_once():
        answer = show(Visit(asked, who))
    return unless_known(answer, asked.headers.get("if-none-match", ""))


def static(name: str, version: str) -> Answer:
    """A file that pages link; its address changes with its content, so it is kept for ever.

    While another version of the app is put in place, it may be asked for what the other one has.
    """
    body = rendering.static_files().get(name)
    if body is None:
        return Answer(HTTPStatus.NOT_FOUND, headers={"Content-Type": "text/plain"})
    kind = guess_type(name)[0] or "application/octet-stream"
    cache = KEPT_FOR_EVER if version == rendering.static_version(name) else "no-cache"
    headers = {"Content-Type": kind, "Cache-Control": cache, "ETag": etag(body)}
    return Answer(body=body, headers=headers)


def _denied(asked: Asked, error: DeniedError) -> Answer:
    """Why not; who has not signed in is asked to, unless something was to be done."""
    log.info("denied %s %s: %s", asked.method, asked.path[:200], error)
    if error.may_sign_in and asked.method == "GET":
        back = quote(asked.link(asked.path, **asked.query), safe="")
        address = f"/.auth/login/aad?post_login_redirect_uri={back}"
        return see_other(address, HTTPStatus.FOUND)
    text = rendering.render("problem.html", title="Not for you", text=str(error))
    return html(text, error.status, "no-store")
