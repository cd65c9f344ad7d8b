"""Whether GitHub tells this TuneOps of what happens. Pure."""

from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from tuneops.doctor.finding import Finding, failed, ok, skipped, warning
from tuneops.gitops.webhooks import Delivery, Webhook, Webhooks

PATH = "/api/github"
EVENTS = ("push", "pull_request", "issue_comment")
REFUSED = 401
_LATER = ("webhook.events", "webhook.secret", "webhook.deliveries")


def judge(known: Webhooks, hosts: Collection[str], repository: str) -> list[Finding]:
    """Where the webhook goes, what it tells of, and whether its deliveries are taken."""
    candidates = [known.of_app] if known.of_app and known.of_app.url else []
    candidates += known.of_repository or ()
    ours = next((each for each in candidates if _comes_here(each, hosts)), None)
    if ours is None:
        address = _no_webhook(known, candidates, hosts, repository)
        return [address, *(skipped(check, "there is no webhook", repository) for check in _LATER)]
    return [
        ok("webhook.address", "the webhook comes here", ours.url),
        _events(ours, repository),
        _secret(ours),
        _deliveries(ours, repository),
    ]


def _comes_here(hook: Webhook, hosts: Collection[str]) -> bool:
    parts = urlsplit(hook.url)
    return hook.active and parts.netloc.lower() in hosts and parts.path.rstrip("/") == PATH


def _no_webhook(
    known: Webhooks, candidates: Iterable[Webhook], hosts: Collection[str], repository: str
) -> Finding:
    check, here = "webhook.address", f"https://{min(hosts, default='HOST')}{PATH}"
    elsewhere = ", ".join(f"{each.url}{'' if each.active else ' (off)'}" for each in candidates)
    if known.of_app is not None:
        mend = (
            f"set the App's webhook to {here} with the secret of TUNEOPS_GITHUB_WEBHOOK_SECRET, at "
            "https://github.com/settings/apps"
        )
    else:
        events = " ".join(f"-f 'events[]={event}'" for event in EVENTS)
        mend = (
            f"gh api repos/{repository}/hooks -f name=web {events} -f 'config[url]={here}' "
            "-f 'config[content_type]=json' -f 'config[secret]=SECRET', with SECRET as "
            "TUNEOPS_GITHUB_WEBHOOK_SECRET has it"
        )
    if elsewhere:
        mend += "; if the other address is this app's as well, set TUNEOPS_PAGE_URL to it"
        return failed(check, f"no webhook comes here, only to {elsewhere}", mend, here)
    if known.of_repository is None:
        said = "the App has no webhook" if known.of_app else "no webhook is known"
        return warning(
            check, f"{said}, and TuneOps may not see the repository's webhooks", mend, repository
        )
    return failed(check, "there is no webhook", mend, repository)


def _events(hook: Webhook, repository: str) -> Finding:
    missing = [event for event in EVENTS if not {event, "*"} & set(hook.events)]
    if not missing:
        return ok("webhook.events", f"tells of {', '.join(EVENTS)}", hook.url)
    mend = "subscribe it to " + ", ".join(missing) + f" (settings of the App, or of {repository})"
    return failed("webhook.events", f"does not tell of {', '.join(missing)}", mend, hook.url)


def _secret(hook: Webhook) -> Finding:
    """As far as the last answer to a delivery that was one of ours tells."""
    check = "webhook.secret"
    answered = [each for each in hook.deliveries if each.status_code]
    if not answered:
        return skipped(check, "no delivery yet tells whether the secret is right", hook.url)
    if answered[0].status_code == REFUSED:
        mend = (
            "set the same secret as TUNEOPS_GITHUB_WEBHOOK_SECRET and in the webhook's settings, "
            "then redeliver what was refused there"
        )
        return failed(check, "TuneOps refuses the signature: the secrets differ", mend, hook.url)
    return ok(check, "signatures are taken", hook.url)


def _deliveries(hook: Webhook, repository: str) -> Finding:
    """The newest counts: earlier ones may be of what is mended. Refused ones are the secret's."""
    check = "webhook.deliveries"
    others = [each for each in hook.deliveries if each.status_code != REFUSED]
    if not others:
        return skipped(check, "there was none yet", hook.url)
    wrong = [each for each in others if not 200 <= each.status_code < 300]
    mend = (
        f"look at Recent Deliveries in the webhook's settings of the App or {repository}, and "
        "redeliver them there; the timer finds what they told of as well"
    )
    if others[0] in wrong:
        return failed(check, f"the last one failed: {_said(others[0])}", mend, hook.url)
    if wrong:
        said = f"{len(wrong)} of the last {len(others)} failed, first {_said(wrong[-1])}"
        return warning(check, said, mend, hook.url)
    return ok(check, f"the last {len(others)} were taken", hook.url)


def _said(delivery: Delivery) -> str:
    code = f" ({delivery.status_code})" if delivery.status_code else ""
    when = f"{delivery.delivered_at:%Y-%m-%d %H:%M} UTC"
    return f"{delivery.event} at {when}: {delivery.status or 'no answer'}{code}"
