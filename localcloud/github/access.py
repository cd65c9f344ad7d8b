"""Who may call: people by their tokens, the App by its signature, its installation by a token."""

import hmac
import re

from starlette.requests import Request

from localcloud.connection import GitHub
from localcloud.github.app_jwt import AppVerifier
from localcloud.github.people import People
from localcloud.github.permissions import Wanted, suffices, wanted
from localcloud.github.rest import ApiError, not_found
from localcloud.github.tokens import InstallationTokens, Token

_TALKS = re.compile(r"/issues/|/pulls$")
_HIDDEN = "/hooks"
MEMBERS = Wanted("members", "read")


class Access:
    """Each method gives the login of the caller, or raises ApiError."""

    def __init__(self, github: GitHub, tokens: InstallationTokens, people: People) -> None:
        self._owner = github.repository.split("/")[0]
        self._bot = f"{github.app.slug}[bot]"
        self._within = re.compile(r".*?/repos/([^/]+)/[^/]+(.*)")
        self._token = github.token.encode()
        self._tokens = tokens
        self._people = people
        self._verifier = AppVerifier(github.app)
        self.used: set[Wanted] = set()

    def anyone(self, request: Request) -> str:
        """Whoever has a token that is valid."""
        given = _given(request)
        if hmac.compare_digest(given.encode(), self._token):
            return self._owner
        if self._tokens.find(given):
            return self._bot
        if person := self._people.find(given):
            return person
        raise ApiError(401, "Bad credentials")

    def owner(self, request: Request) -> str:
        """The owner alone."""
        if self.anyone(request) != self._owner:
            raise _forbidden()
        return self._owner

    def repository(self, request: Request) -> str:
        """The owner, a collaborator, or the installation where its permissions suffice.

        Collaborators have the role *write*, with which one does not see webhooks, unless they were
        given less: then they read, comment and open pull requests. GitHub hides what is in another
        installation's reach.
        """
        caller = self.anyone(request)
        match = self._within.fullmatch(request.url.path)
        owner, path = match.groups() if match else ("", "")
        token = self._tokens.find(_given(request))
        if token:
            if token.owner != owner:
                raise not_found()
            self._check(token, wanted(request.method, path))
            return caller
        hidden = path.startswith(_HIDDEN)
        reads = request.method in ("GET", "HEAD") and not hidden
        weak = self._people.permission(caller) in ("read", "none")
        if weak and not reads and not _TALKS.match(path):
            raise ApiError(403, "Must have push access to Repository.")
        if caller == self._owner or not hidden:
            return caller
        raise _forbidden()

    def organization(self, request: Request) -> str:
        """Whoever may look into the organization: of installations the one at its owner's."""
        caller, token = self.anyone(request), self._tokens.find(_given(request))
        if token:
            if token.owner != request.path_params["org"]:
                raise not_found()
            self._check(token, MEMBERS)
        return caller

    def _check(self, token: Token, asked: Wanted) -> None:
        """Let an installation do what its permissions suffice for; note what it asked for."""
        self.used.add(asked)
        if not suffices(token.permissions.get(asked.name, "none"), asked.level):
            raise _forbidden(asked)

    def app(self, request: Request) -> str:
        """The App itself."""
        self._verifier.verify(_given(request))
        return self._bot


def _given(request: Request) -> str:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if not given:
        raise ApiError(401, "Requires authentication")
    if scheme.lower() not in ("bearer", "token"):
        raise ApiError(401, "Bad credentials")
    return given.strip()


def _forbidden(asked: Wanted | None = None) -> ApiError:
    accepted = {"x-accepted-github-permissions": str(asked)} if asked else {}
    return ApiError(403, "Resource not accessible by integration", headers=accepted)
