"""Taking secrets out of texts that people will see. Pure."""

import re
from collections.abc import Iterable

HIDDEN = "[hidden]"

_LOOKS_SECRET = re.compile(
    r"(?i)(?P<keep>\bbearer\s+|\bsig=|\b(?:account|shared)\w*key=|\b(?:api[-_]?key|password|secret"
    r"|token|\w*(?:access|primary|secondary)[-_]?(?:key|token))\b[\"']?\s*[:=]\s*[\"']?)(?P<secret>[A-Za-z0-9+/=_.~%-]{8,})"
)
_NAMES_SECRETS = ("bearer", "sig=", "key", "password", "secret", "token")
"""One of them stands in whatever looks like that."""
_ISSUED = re.compile(
    r"\b(?:hf_|sk-|gh[opsu]_|github_pat_|xox[a-z]-|xapp-)[A-Za-z0-9_-]{16,}(?:\.[A-Za-z0-9_-]+)*"
)
"""Keys marked by how they begin: of Hugging Face, OpenAI, GitHub (with a JWT, maybe), Slack."""
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{5,2000}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*")

_IN_ADDRESS = re.compile(
    r"(?i)(?P<keep>\bhttps://hooks\.slack\.com/)[^\s\"'<>]+|(?P<user>://[^/\s:@]+:)[^/\s@]+(?=@)"
)
"""The address of a webhook is a secret by itself; a user's password may stand in one."""


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without `secrets`, and without what looks like a key, a token or a signature."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, HIDDEN)
    text = _ISSUED.sub(HIDDEN, _JWT.sub(HIDDEN, text))
    if "://" in text:
        text = _IN_ADDRESS.sub(lambda found: (found["keep"] or found["user"]) + HIDDEN, text)
    folded = text.casefold()
    if any(name in folded for name in _NAMES_SECRETS):
        text = _LOOKS_SECRET.sub(lambda found: found["keep"] + HIDDEN, text)
    return text
