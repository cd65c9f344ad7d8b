"""Managed identities, as the SDK wants them."""

from typing import TYPE_CHECKING

from tuneops.config import Identity

if TYPE_CHECKING:
    from azure.ai.ml.entities import IdentityConfiguration


def identity_of(identity: Identity) -> "IdentityConfiguration":
    """The identity that an endpoint or a cluster runs with."""
    from azure.ai.ml.entities import IdentityConfiguration, ManagedIdentityConfiguration

    assigned = [
        ManagedIdentityConfiguration(resource_id=name) for name in identity.user_assigned_identities
    ]
    return IdentityConfiguration(type=identity.type, user_assigned_identities=assigned or None)
