"""What the exceptions of clients mean for people."""

from azure.core.exceptions import AzureError

from tuneops.scrub import scrub

MAX_SHOWN = 300


def said(error: Exception) -> str:
    """A line on what went wrong, without what may be a secret."""
    text = str(error.message) if isinstance(error, AzureError) else str(error)
    first = next(iter(scrub(text).splitlines()), "")
    return " ".join(first.split())[:MAX_SHOWN] or type(error).__name__


def code_of(error: AzureError) -> str:
    """Storage's own code, or the kind of the exception."""
    return str(getattr(error, "error_code", "") or type(error).__name__)
