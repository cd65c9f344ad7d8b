"""Where the function app runs, as Azure says it in the environment. Pure."""

from collections.abc import Mapping

_SET_IN_AZURE = ("WEBSITE_SITE_NAME", "WEBSITE_INSTANCE_ID", "WEBSITE_POD_NAME")
"""Each plan sets some of these; the tools that run an app on one's own computer set none."""
UNRESOLVED = "@Microsoft.KeyVault("
"""How a setting begins whose secret App Service could not read: its reference, which is none."""


def in_azure(environ: Mapping[str, str]) -> bool:
    """Whether this is a function app in Azure, on whichever plan."""
    return any(environ.get(name) for name in _SET_IN_AZURE)


def own_address(environ: Mapping[str, str]) -> str:
    """The function app's own address in Azure; empty elsewhere."""
    host = environ.get("WEBSITE_HOSTNAME", "")
    return f"https://{host}" if host and in_azure(environ) else ""
