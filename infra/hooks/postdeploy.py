"""After the code is there: event subscriptions, GitHub's webhook, and a look at what is broken."""

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from contextlib import redirect_stdout
from io import StringIO
from urllib.parse import urlsplit

from pydantic import SecretStr

from infra.hooks import webhook
from infra.hooks.az import AzError, again, az
from infra.hooks.deployed import Deployed
from infra.hooks.postprovision import read_references
from infra.hooks.problems import HookError, run, say
from infra.hooks.vault import WEBHOOK_SECRET, Vault

FUNCTIONS = frozenset({"on_dataset_uploaded", "on_job_event"})
TRIES = 12
SUBSCRIBE_TRIES = 3
PAUSE_SECONDS = 30.0


def finish() -> None:
    """Do all three; what goes wrong with one keeps none of the others.

    Raises:
        HookError: one of them can't be done, or the doctor finds something broken.
    """
    deployed, problems = Deployed.read(), []
    for step in (subscribe, connect_github, examine):
        try:
            step(deployed)
        except HookError as error:
            problems.append(f"- {error}")
    if problems:
        raise HookError("\n".join(problems))


def subscribe(deployed: Deployed, tries: int = TRIES, pause: float = PAUSE_SECONDS) -> None:
    """Deploy the event subscriptions, once Azure knows the functions.

    Raises:
        HookError: the functions are not there, or Azure refuses the subscriptions.
    """
    again(lambda: _find_functions(deployed), tries, pause)
    given = {
        "appId": deployed.app_id,
        "storageTopicId": deployed.storage_topic_id,
        "workspaceTopicId": deployed.workspace_topic_id,
        "deadLetterAccountId": deployed.storage_id,
        "deadLetterContainer": deployed.dead_letter_container,
        "datasetsContainer": deployed.datasets_container,
    }
    command = (
        *("deployment", "sub", "create", "--name", f"tuneops-events-{deployed.app_name}"),
        *("--location", deployed.location, "--template-file", "infra/events.bicep"),
        *("--parameters", *(f"{name}={value}" for name, value in given.items())),
        *("--query", "properties.provisioningState"),
    )
    again(lambda: az(*command), SUBSCRIBE_TRIES, pause)
    say("TuneOps: Event Grid tells of uploads and jobs.")


def connect_github(deployed: Deployed, environ: Mapping[str, str] = os.environ) -> None:
    """Have webhooks come to the app.

    Raises:
        HookError: GitHub does not let us, or the vault can't be read.
    """
    vault = Vault(deployed.vault)
    secret = SecretStr(vault.read(WEBHOOK_SECRET) or "")
    api_url = environ.get("TUNEOPS_GITHUB_API_URL") or "https://api.github.com"
    address = f"{deployed.url}{webhook.PATH}"
    if app_id := environ.get("TUNEOPS_GITHUB_APP_ID"):
        key = SecretStr(vault.read("TUNEOPS_GITHUB_APP_PRIVATE_KEY") or "")
        replace = environ.get("INFRA_REPLACE_APP_WEBHOOK", "").lower() == "true"
        say(f"TuneOps: {webhook.of_app(api_url, app_id, key, address, secret, replace)}")
        return
    token = SecretStr(_own_token(environ, api_url) or vault.read("TUNEOPS_GITHUB_TOKEN") or "")
    for repository in _repositories(vault, environ):
        done = webhook.of_repository(api_url, repository, token, address, secret)
        say(f"TuneOps: {done}")


def examine(deployed: Deployed, tries: int = TRIES, pause: float = PAUSE_SECONDS) -> None:
    """Ask the doctor, again while roles that were just granted are not known everywhere.

    Raises:
        HookError: something is broken.
    """
    for left in reversed(range(tries)):
        is_well, said = _ask_doctor(deployed)
        if is_well or not left:
            break
        time.sleep(pause)
        read_references(deployed)
    say(said)
    if not is_well:
        raise HookError(
            "all is deployed, and the doctor finds something broken: mend it, then tuneops doctor"
        )


def _find_functions(deployed: Deployed) -> None:
    where = ("--name", deployed.app_name, "--resource-group", deployed.resource_group)
    command = ("functionapp", "function", "list", *where, "--query", "[].name")
    missing = FUNCTIONS - {str(name).rpartition("/")[2] for name in az(*command) or []}
    if missing:
        raise AzError(
            command,
            f"there is no {', '.join(sorted(missing))}; az webapp log tail {' '.join(where)} may"
            " say why",
        )


def _ask_doctor(deployed: Deployed) -> tuple[bool, str]:
    """Whether nothing is broken, and what the doctor says; without a key he is not asked."""
    where = ("--name", deployed.app_name, "--resource-group", deployed.resource_group)
    try:
        key = az("functionapp", "keys", "list", *where, "--query", "functionKeys.default")
    except AzError as error:
        return False, str(error)
    return _doctor(deployed.url, key or "")


def _doctor(url: str, key: str) -> tuple[bool, str]:
    """Whether nothing is broken, and what the doctor says; the data is not for us to read."""
    from tuneops.cli import app

    words = ["doctor", "--url", url, "--key", key, "--account-url", ""]
    with redirect_stdout(StringIO()) as said:
        code = app(words, standalone_mode=False)
    return not code, said.getvalue()


def _repositories(vault: Vault, environ: Mapping[str, str]) -> list[str]:
    one = environ.get("TUNEOPS_GITHUB_REPOSITORY")
    return [one] if one else webhook.repositories_of(vault.read("TUNEOPS_SOURCES") or "[]")


def _own_token(environ: Mapping[str, str], api_url: str) -> str:
    """The token of whoever runs azd: the environment's, or of GitHub's CLI for this GitHub."""
    given = environ.get("GH_TOKEN") or environ.get("GITHUB_TOKEN")
    if given or not (program := shutil.which("gh")):
        return given or ""
    host = (urlsplit(api_url).hostname or "").removeprefix("api.")
    line = [program, "auth", "token", "--hostname", host]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    return done.stdout.strip() if not done.returncode else ""


if __name__ == "__main__":
    run(finish)
