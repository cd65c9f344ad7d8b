"""Tokens of the app's identity."""

from azure.core.exceptions import AzureError

from tuneops.doctor.errors import said
from tuneops.doctor.judging.identity import Got
from tuneops.settings import WorkspaceSettings, credential


def token_for(settings: WorkspaceSettings, audience: str) -> Got:
    """A token for what is at the audience."""
    try:
        return Got(token=credential(settings).get_token(f"{audience}/.default").token)
    except (AzureError, ValueError) as error:
        return Got(error=said(error))
