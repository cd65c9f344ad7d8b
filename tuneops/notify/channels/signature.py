"""Signing what is posted, so that its receiver knows who it is from. Pure."""

import hashlib
import hmac

HEADER = "X-TuneOps-Signature-256"
TIMESTAMP = "X-TuneOps-Timestamp"


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """The signature of a body that is sent at a time, in seconds since 1970."""
    signed = b"%d." % timestamp + body
    return f"sha256={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"
