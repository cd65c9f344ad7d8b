"""The Azure CLI, signed in as whoever runs azd."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from infra.hooks.problems import HookError
from tuneops.scrub import scrub

TIMEOUT_SECONDS = 1800
MAX_SAID = 1000
ROLE_TRIES = 20
ROLE_PAUSE_SECONDS = 15
T = TypeVar("T")

_NO_ROLE_YET = ("ForbiddenByRbac", "does not have authorization to perform action")
_KEPT_OUT = ("ForbiddenByConnection", "ForbiddenByFirewall", "Public network access is disabled")


class AzError(HookError):
    """A command of the Azure CLI failed; `text` is what it said."""

    def __init__(self, command: Sequence[str], text: str) -> None:
        said = scrub(" ".join(text.split()))[:MAX_SAID]
        super().__init__(f"az {' '.join(command[:3])} failed: {said}")
        self.text = text


def az(*command: str) -> Any:
    """What a command answers as JSON, None for nothing; it is asked in azd's subscription.

    Raises:
        AzError: it failed.
        HookError: there is no Azure CLI, or it does not come to an end.
    """
    program = shutil.which("az")
    if program is None:
        raise HookError("the Azure CLI is missing: https://aka.ms/install-azure-cli, then az login")
    chosen = os.environ.get("AZURE_SUBSCRIPTION_ID")
    where = ("--subscription", chosen) if chosen else ()
    line = [program, *command, *where, "--only-show-errors", "--output", "json"]
    try:
        done = subprocess.run(
            line, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise HookError(f"az {' '.join(command[:3])} does not come to an end") from error
    if done.returncode:
        raise AzError(command, done.stderr or done.stdout)
    return json.loads(done.stdout) if done.stdout.strip() else None


def again(work: Callable[[], T], tries: int, pause: float) -> T:
    """What the work gives, which is tried again while Azure does not yet know all that is new.

    Raises:
        AzError, HookError: as the work does; an `AzError` the last time alone.
    """
    for _ in range(tries - 1):
        try:
            return work()
        except AzError:
            time.sleep(pause)
    return work()


def az_once_allowed(
    *command: str, tries: int = ROLE_TRIES, pause: float = ROLE_PAUSE_SECONDS
) -> Any:
    """The same, again and again while a role that was just granted is not known everywhere.

    Raises:
        AzError, HookError: as `az`; or the role does not come, or the network keeps us out.
    """
    for left in reversed(range(tries)):
        try:
            return az(*command)
        except AzError as error:
            if any(sign in error.text for sign in _KEPT_OUT):
                raise HookError(
                    f"{error}; from here the network keeps you out: run this inside it, or add your"
                    " address to INFRA_ALLOWED_ADDRESSES and provision again"
                ) from error
            if not left or not any(sign in error.text for sign in _NO_ROLE_YET):
                raise
        time.sleep(pause)
    raise ValueError("no try was asked for")
