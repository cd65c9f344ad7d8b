"""The comment on a pull request about its preview. Pure.

All that comes from a config, a model or Azure stands in code, as in the review's comment.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime

from tuneops import smoke
from tuneops.config import ProjectConfig
from tuneops.desired import Desired
from tuneops.gitops import final_text
from tuneops.gitops.review_text import code
from tuneops.names import family
from tuneops.policy import Policy
from tuneops.previews.register import Entry, Register
from tuneops.release import Phase, Release
from tuneops.scrub import scrub

MAX_TEXT = 600
MAX_COMMENT = 60_000
_SAID = {Phase.LIVE: "answers", Phase.FAILED: "failed"}
_CALL = """\
    az ml online-endpoint invoke --resource-group {group} --workspace-name {workspace} \\
      --name {endpoint} --request-file request.json

`request.json`, as it is posted to the endpoint's `scoring_uri`:

    {request}
"""


def mark(key: str) -> str:
    """What the comment on a preview begins with; nobody sees it."""
    return f"<!-- tuneops-preview {key} -->"


def refused(key: str, why: str) -> str:
    """The comment on a preview that there may not be."""
    return _comment(key, "there is none", [code(_cut(why))])


def waits(key: str, register: Register, most: int) -> str:
    """The comment on a preview that has no place yet."""
    taken = sorted(k for k, entry in register.entries.items() if entry.has_place)
    lines = [
        f"{len(taken)} of {most} places are taken, by {', '.join(map(code, taken)) or 'none'}. It "
        "begins when it is its turn.",
    ]
    return _comment(key, "waits for a place", lines)


def begun(key: str, entry: Entry, cost: str, data_path: str) -> str:
    """The comment on a preview that has just been asked for."""
    lines = [f"It lasts until {_moment(entry.until)}, or until the pull request is closed.{cost}"]
    if data_path:
        lines += ["", f"There is no training data in {code(data_path)} yet; it waits for that."]
    return _comment(key, "is being made", lines)


def state(
    wanted: Desired, release: Release | None, live: Release | None, where: tuple[str, str]
) -> str:
    """The comment on a preview as it is; `live` is the project's own release that is live.

    `where` is the resource group and the workspace.
    """
    terms = wanted.preview
    over = terms.over if terms else ""
    if release is None:
        said = "was taken down" if over else "is being made"
        return _comment(wanted.project, said, [code(_cut(over))] if over else [])
    if release.phase == Phase.RETIRED:
        again = "" if terms is None or terms.closed else "A new push begins it anew. "
        kept = f"{again}Models and data are kept."
        return _comment(wanted.project, "was taken down", [code(_cut(release.reason)), "", kept])
    ends = f" It lasts until {_moment(terms.until)}." if terms and not over else ""
    why = release.trouble.message if release.trouble else release.reason
    lines = [f"Release {release.number}, commit {release.commit[:12]}: {code(_cut(why))}.{ends}"]
    if release.phase == Phase.LIVE:
        group, workspace = where
        hello = smoke.request([{"role": "user", "content": "Hello"}], release.config.smoke_test)
        called = _CALL.format(
            group=group,
            workspace=workspace,
            endpoint=release.endpoint,
            request=json.dumps(hello),
        )
        lines += ["", f"Endpoint {code(release.endpoint)}:", "", called]
    lines += ["", *final_text.details(release, live)]
    return _comment(wanted.project, _SAID.get(release.phase, "is being made"), lines)


def cost_an_hour(config: ProjectConfig, policies: Sequence[Policy]) -> str:
    """What the endpoint of a preview costs an hour; empty where there is no price."""
    size = config.deployment.instance_type
    for policy in policies:
        price = policy.prices.of(size) if policy.prices else None
        if policy.prices and price is not None:
            return f"{price:,.2f} {policy.prices.currency}"
    return ""


def foretold(config: ProjectConfig, hours: int, policies: Sequence[Policy]) -> Iterator[str]:
    """What a plan says of the preview that a pull request with this config asks for."""
    if not hours:
        return
    cost = cost_an_hour(config, policies)
    price = f", {cost} an hour besides the training" if cost else ""
    yield (
        f"preview: the pull request asks for an endpoint of its own for {hours} hours after the "
        f"newest push, 1 x {config.deployment.instance_type}{price}"
    )


def _comment(key: str, said: str, lines: Sequence[str]) -> str:
    head = f"### Preview of {code(family(key))} {said}"
    text = "\n".join([mark(key), head, "", *lines]).rstrip()
    return text if len(text) <= MAX_COMMENT else text[:MAX_COMMENT].rpartition("\n")[0]


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _cut(text: str) -> str:
    plain = scrub(text)
    return plain if len(plain) <= MAX_TEXT else plain[:MAX_TEXT] + "..."
