"""Who TuneOps is at GitHub: the owner of a token, or an App, whose tokens last an hour."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Protocol

import gidgethub
from gidgethub.abc import GitHubAPI
from pydantic import AwareDatetime, BaseModel, ConfigDict, SecretStr

from tuneops.settings import Settings
from tuneops.sources import ConfigSource

RENEW_BEFORE = timedelta(minutes=5)
TOKEN_SETTING = "TUNEOPS_GITHUB_TOKEN"
PERMISSIONS = (
    "Contents: read (write for rollbacks); Commit statuses, Deployments, Pull requests: write"
)


class LoginError(Exception):
    """GitHub does not let TuneOps in; the message says which setting to mend."""


class Login(Protocol):
    """A way to sign in."""

    async def token(self, api: GitHubAPI) -> str:
        """A token that should be good for the next minutes.

        Raises:
            LoginError: the settings get none.
            gidgethub.GitHubException, httpx2.HTTPError: GitHub could not be asked.
        """

    def signature(self) -> str:
        """What an App signs to ask about itself; empty for a token.

        Raises:
            LoginError: the settings have no key to sign with.
        """

    def refused(self, token: str) -> None:
        """GitHub answered 401 to this token, so another one is wanted.

        Raises:
            LoginError: there is no other.
        """


class InstallationToken(BaseModel):
    """What an App gets at one owner's for an hour."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    token: SecretStr
    expires_at: AwareDatetime


Tokens = dict[str, InstallationToken]
"""The token that is in use at each owner's, for all of the owner's repositories."""


def make_login(settings: Settings, source: ConfigSource, tokens: Tokens) -> Login:
    """The way that the settings choose, to the source's repository."""
    if settings.github_token:
        return TokenLogin(settings.github_token)
    return AppLogin(settings, source, tokens)


class TokenLogin:
    """A token that somebody made; what to mend when GitHub refuses it."""

    def __init__(
        self, token: SecretStr, setting: str = TOKEN_SETTING, permissions: str = PERMISSIONS
    ) -> None:
        self._token = token
        self._setting = setting
        self._permissions = permissions

    async def token(self, api: GitHubAPI) -> str:
        """See `Login`."""
        return self._token.get_secret_value()

    def signature(self) -> str:
        """See `Login`."""
        return ""

    def refused(self, token: str) -> None:
        """See `Login`."""
        raise LoginError(
            f"GitHub refuses {self._setting}: set it to a token that is valid, with the"
            f" permissions {self._permissions}"
        )


class AppLogin:
    """A GitHub App, installed on one repository.

    A token of the installation is kept in `tokens`, by the repository's owner, until it ends soon.
    The installation is looked up by the repository: one where it is missing is nobody else's
    trouble.
    """

    def __init__(self, settings: Settings, source: ConfigSource, tokens: Tokens) -> None:
        self._app_id = settings.github_app_id
        self._key = settings.github_app_private_key
        self._installation_id = settings.github_installation_id
        self._repository = source.repository
        self._owner = source.owner
        self._said_in = "TUNEOPS_SOURCES" if settings.sources else "TUNEOPS_GITHUB_REPOSITORY"
        self._tokens = tokens

    async def token(self, api: GitHubAPI) -> str:
        """See `Login`."""
        kept = self._tokens.get(self._owner)
        if kept is None or kept.expires_at - RENEW_BEFORE <= datetime.now(UTC):
            kept = self._tokens[self._owner] = await self._new_token(api)
        return kept.token.get_secret_value()

    def signature(self) -> str:
        """See `Login`."""
        from gidgethub.apps import get_jwt

        return get_jwt(app_id=self._app_id, private_key=_rsa_key(self._key))

    def refused(self, token: str) -> None:
        """See `Login`; a token that another thread got meanwhile stays."""
        kept = self._tokens.get(self._owner)
        if kept and kept.token.get_secret_value() == token:
            self._tokens.pop(self._owner, None)

    async def _new_token(self, api: GitHubAPI) -> InstallationToken:
        from gidgethub.apps import get_installation_access_token

        key = _rsa_key(self._key)
        number = self._installation_id or await self._find_installation(api, key)
        with self._explained(
            f"has no installation {number}: mend TUNEOPS_GITHUB_INSTALLATION_ID or leave it out"
        ):
            answer = await get_installation_access_token(
                api, installation_id=str(number), app_id=self._app_id, private_key=key
            )
        return InstallationToken.model_validate(answer)

    async def _find_installation(self, api: GitHubAPI, key: str) -> int:
        from gidgethub.apps import get_jwt

        signed = get_jwt(app_id=self._app_id, private_key=key)
        with self._explained(
            f"is not installed on {self._repository}: install it there, or mend {self._said_in}"
        ):
            found = await api.getitem(f"/repos/{self._repository}/installation", jwt=signed)
        return int(found["id"])

    @contextmanager
    def _explained(self, missing: str) -> Iterator[None]:
        """Refusals say what to do about them, `missing` where GitHub finds nothing."""
        try:
            yield
        except gidgethub.RateLimitExceeded:
            raise
        except gidgethub.BadRequest as error:
            raise LoginError(self._reason(error, missing)) from error

    def _reason(self, error: gidgethub.BadRequest, missing: str) -> str:
        app = f"the GitHub App {self._app_id}"
        if error.status_code == HTTPStatus.UNAUTHORIZED:
            return (
                f"GitHub does not take the signature of {app} ({error}): set"
                " TUNEOPS_GITHUB_APP_PRIVATE_KEY to a key of the App TUNEOPS_GITHUB_APP_ID,"
                " and see that this machine's clock is right"
            )
        if error.status_code != HTTPStatus.NOT_FOUND:
            return f"GitHub refuses {app}: {error}"
        if str(error).startswith("Integration"):
            return f"GitHub does not know {app}: mend TUNEOPS_GITHUB_APP_ID"
        return f"{app} {missing}"


def _rsa_key(setting: SecretStr) -> str:
    """The key as PEM, with line breaks where the setting has a backslash and an n.

    Raises:
        LoginError: it is no key that an App signs with.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pem = setting.get_secret_value().replace("\\n", "\n").strip()
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise LoginError(
            "TUNEOPS_GITHUB_APP_PRIVATE_KEY is no RSA private key: set it to the whole .pem file"
            " that GitHub made for the App, with its line breaks or with \\n in their place"
        )
    return pem
