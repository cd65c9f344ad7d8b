"""The settings: whether they are valid, resolved, and name a workspace that is there. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import ValidationError

from tuneops.doctor.finding import Finding, failed, ok, skipped, warning
from tuneops.doctor.judging.site import Site
from tuneops.hosting import UNRESOLVED
from tuneops.scrub import scrub

OURS = ("TUNEOPS_", "AzureWebJobsStorage", "HF_TOKEN")
MAX_NAMED = 10
_VAULT = re.compile(r"(?:https://|VaultName=)(?P<name>[A-Za-z0-9-]+)")


def judge_valid(error: ValueError | None, site: Site) -> Finding:
    """Whether the settings can be used at all."""
    if error is None:
        return ok("settings.valid", "all settings can be used")
    if not isinstance(error, ValidationError):
        return failed("settings.valid", scrub(str(error)), "mend the file that this names")
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    said = [_problem(each["loc"], each["msg"], each["type"]) for each in problems[:MAX_NAMED]]
    names = [_name(each["loc"]) for each in problems if each["loc"]]
    mend = site.setting(names[0], "...") if names else "set them as this says"
    return failed("settings.valid", "; ".join(said), mend)


def _problem(where: tuple[int | str, ...], message: str, kind: str) -> str:
    message = scrub(message.removeprefix("Value error, "))
    if not where:
        return message
    return f"{_name(where)} is missing" if kind == "missing" else f"{_name(where)}: {message}"


def _name(where: tuple[int | str, ...]) -> str:
    """The app setting of a field; of a list it is all of the list."""
    first = str(where[0])
    return first if first.startswith(OURS) else f"TUNEOPS_{first.upper()}"


def judge_secrets(environment: Mapping[str, str], site: Site) -> list[Finding]:
    """Whether Azure has put secrets in the place of all references to them."""
    found = [
        failed(
            "settings.secrets",
            "the reference to Key Vault is not resolved: the app works with its text",
            f"let the app's identity read the secret (role Key Vault Secrets User on vault "
            f"{_vault(value)}), see that the secret is there and that the vault's network lets the "
            f"app in; then have it read anew: {site.refresh()}",
            name,
        )
        for name, value in sorted(environment.items())
        if name.startswith(OURS) and value.startswith(UNRESOLVED)
    ]
    return found or [ok("settings.secrets", "no reference to Key Vault is left unresolved")]


def _vault(reference: str) -> str:
    found = _VAULT.search(reference)
    return found["name"] if found else "VAULT"


def judge_page(environment: Mapping[str, str], site: Site) -> Finding:
    """Whether messages can link to the page, and the host shows it at `/`."""
    name, homepage = "TUNEOPS_PAGE_URL", "AzureWebJobsDisableHomepage"
    host = environment.get("WEBSITE_HOSTNAME", "")
    url = environment.get(name, "") or (f"https://{host}" if host else "")
    mend = site.setting(name, "https://HOST")
    if not url:
        return warning("settings.page", "not set, so messages do not link to the page", mend, name)
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        return failed("settings.page", "is no web address", mend, name)
    if environment.get(homepage, "").lower() != "true":
        mend = site.setting(homepage, "true")
        return warning("settings.page", "the host shows a page of its own at /", mend, homepage)
    return ok("settings.page", "messages link to it", f"{parts.scheme}://{parts.netloc}")


@dataclass(frozen=True)
class Seen:
    """What Azure says of a workspace: whether it is there, where, and in which state."""

    there: bool = False
    hidden: bool = False
    error: str = ""
    location: str = ""
    state: str = ""


def judge_workspace(seen: Seen, workspace_id: str, site: Site) -> Finding:
    """Whether the workspace is there and usable."""
    check, group = "settings.workspace", workspace_id.split("/")[4]
    if seen.hidden:
        return skipped(check, "TuneOps may not see it", workspace_id)
    if seen.error:
        return failed(check, seen.error, "see that the app's network reaches Azure", workspace_id)
    if not seen.there:
        mend = (
            f"az ml workspace list --resource-group {group} shows those there are; name one: "
            + site.setting("TUNEOPS_WORKSPACE", "NAME")
        )
        return failed(check, "there is no such workspace", mend, workspace_id)
    if seen.state not in ("Succeeded", ""):
        mend = "open it at https://portal.azure.com and mend what its last deployment says"
        return failed(check, f"its state is {seen.state}", mend, workspace_id)
    return ok(check, f"in {seen.location}", workspace_id)


def hosts(environment: Mapping[str, str], asked_at: str) -> frozenset[str]:
    """The hosts by which this app is reached, with their ports."""
    page = urlsplit(environment.get("TUNEOPS_PAGE_URL", "")).netloc
    own: Iterable[str] = (environment.get("WEBSITE_HOSTNAME", ""), page, urlsplit(asked_at).netloc)
    return frozenset(host.lower() for host in own if host)
