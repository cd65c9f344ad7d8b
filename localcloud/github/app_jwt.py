"""The JSON web tokens that an App signs to say who it is.

https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app says how.
"""

import time

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from localcloud.connection import GitHubApp
from localcloud.github.rest import ApiError

MAX_SECONDS = 600

_UNREADABLE = "A JSON web token could not be decoded"
_EXPIRED = (
    "'Expiration time' claim ('exp') must be a numeric value representing the future time at which"
    " the assertion expires"
)
_TOO_LONG = "'Expiration time' claim ('exp') is too far in the future"
_NOT_YET = (
    "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was"
    " issued"
)


class AppVerifier:
    """Knows the App by its id or client id, and by its public key."""

    def __init__(self, app: GitHubApp) -> None:
        self._names = (str(app.id), app.client_id)
        private = load_pem_private_key(app.private_key.encode(), password=None)
        assert isinstance(private, RSAPrivateKey)
        self._key = private.public_key()

    def verify(self, token: str) -> None:
        """Take the token, in GitHub's own words or not at all.

        Raises:
            ApiError: 401 for a bad token, 404 for an unknown App.
        """
        try:
            issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
            if str(issuer) not in self._names:
                raise ApiError(404, "Integration not found")
            claims = jwt.decode(
                token,
                self._key,
                algorithms=["RS256"],
                options={"require": ["exp", "iat"], "verify_iss": False},
            )
        except jwt.ExpiredSignatureError:
            raise ApiError(401, _EXPIRED) from None
        except (jwt.ImmatureSignatureError, jwt.InvalidIssuedAtError):
            raise ApiError(401, _NOT_YET) from None
        except jwt.MissingRequiredClaimError as error:
            raise ApiError(401, _EXPIRED if error.claim == "exp" else _NOT_YET) from None
        except jwt.InvalidTokenError:
            raise ApiError(401, _UNREADABLE) from None
        if claims["exp"] > time.time() + MAX_SECONDS:
            raise ApiError(401, _TOO_LONG)
