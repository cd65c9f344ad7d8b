"""Going back: which release, by git or by a pin, and what people are told when it can't be."""

import json
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import httpx2
import pytest
import yaml
from typer.testing import CliRunner

from handlers import rollback
from tests.beside import cloud_beside
from tests.cloud import ROOT, Cloud, app_settings
from tests.config_text import config_of
from tests.deciding import (
    DESIRED,
    NAME,
    NOW,
    READY,
    RUNNING,
    SOURCE,
    at,
    endpoint,
    matches,
    sees,
)
from tests.planned import come_to
from tests.simulation.people import FREEZE
from tests.test_page_access import principal
from tuneops import actions, documents
from tuneops.cli import app
from tuneops.data.prepare import find_source
from tuneops.decide import decide
from tuneops.desired import Desired
from tuneops.gitops.errors import GitHubError
from tuneops.gitops.github import GitHub
from tuneops.gitops.restoration import ForbiddenError, Restoration, UnchangedError, by_hand
from tuneops.going_back import RefusedError, choose, restoration
from tuneops.observed import Observed
from tuneops.orders import Orders, Pin
from tuneops.pinning import agrees, mark, pinned, rejection
from tuneops.policy import InForce, Policy, Verdict
from tuneops.policy_file import parse_policy
from tuneops.project import Project
from tuneops.release import Phase, Release
from tuneops.services import Services

SMALL, LARGE = "", "deployment: {instance_count: 9}\n"
PIN = Pin(id="p", release=1, by="Ada", at=NOW, reason="answers in French")
PINNED = "pinned to release 1 by Ada since 2026-01-01 00:00 UTC: answers in French"
OLD = come_to(READY.replace(number=1, commit="a" * 40, path="finetune/bot.yaml"), Phase.LIVE, NOW)


def made(
    number: int, extra: str = SMALL, *, version: str = "1", phase: Phase = Phase.SUPERSEDED
) -> Release:
    """A release of this config and data; all but those that failed were live."""
    known = OLD.replace(number=number, config=config_of("bot", extra))
    known = known.replace(source=SOURCE.replace(version=version))
    if phase == Phase.FAILED:
        return come_to(known.replace(history=()), phase, NOW, "no luck")
    return come_to(known, phase, NOW)


def git_of(extra: str | None, version: str = "1") -> Desired:
    config = config_of("bot", extra) if extra is not None else None
    return DESIRED.replace(config=config, source=SOURCE.replace(version=version))


HISTORY = (
    made(1),
    made(2, LARGE),
    made(3, "training: {parameters: {num_train_epochs: 9}}\n", phase=Phase.FAILED),
    made(4),
    made(5, phase=Phase.LIVE),
)
AT_FIVE = Project(name="bot", current=5, live=5)


@pytest.mark.parametrize(
    ("project", "asked", "chosen"),
    [
        pytest.param(AT_FIVE, None, 2, id="the-newest-that-was-something-else"),
        pytest.param(AT_FIVE.reject(HISTORY[1], "bad"), None, "no earlier release", id="rejected"),
        pytest.param(AT_FIVE, 1, 1, id="named"),
        pytest.param(AT_FIVE, 3, r"was never live \(Failed: no luck\)", id="never-live"),
        pytest.param(AT_FIVE, 9, "has no release 9; its newest is 5", id="none-such"),
        pytest.param(AT_FIVE.replace(current=4, live=2), None, 1, id="before-what-is-live"),
        pytest.param(Project(name="bot"), None, "no earlier release", id="no-release-yet"),
        pytest.param(Project(name="bot"), 1, 1, id="live-or-not"),
    ],
)
def test_the_release_to_go_back_to(project: Project, asked: int | None, chosen: int | str) -> None:
    known = {release.number: release for release in HISTORY}
    if project.live:
        known[project.live] = known[project.live].replace(phase=Phase.LIVE)

    def load(number: int | None) -> Release | None:
        return known.get(number or 0)

    if isinstance(chosen, int):
        assert choose(project, load, asked)[1].number == chosen
        return
    with pytest.raises(RefusedError, match=chosen):
        choose(project, load, asked)


def test_what_retired_goes_back_to_its_last_release() -> None:
    known = {1: made(1), 2: made(2, LARGE, phase=Phase.RETIRED)}
    live, target = choose(
        Project(name="bot", current=2, live=2), lambda number: known.get(number or 0), None
    )
    assert (live, target.number) == (None, 2)


def test_while_traffic_moves_what_is_live_is_gone_back_to() -> None:
    """A canary that people do not like takes nobody back further than to what it would replace."""
    known = {
        1: made(1, LARGE),
        2: made(2, phase=Phase.LIVE),
        3: made(3, LARGE, phase=Phase.SHIFTING),
    }
    project = Project(name="bot", current=3, live=2)
    live, target = choose(project, lambda number: known.get(number or 0), None)
    assert (live, target) == (known[2], known[2])


def test_what_failed_while_it_was_live_is_not_gone_back_to_by_itself() -> None:
    """It was live, until it could not be deployed again."""
    known = {1: made(1), 2: come_to(made(2, LARGE), Phase.FAILED, NOW, "no quota")}
    project = Project(name="bot", current=2, live=2)
    live, target = choose(project, lambda number: known.get(number or 0), None)
    assert (live, target.number) == (None, 1)
    assert choose(project, lambda number: known.get(number or 0), 2)[1].number == 2


def test_what_git_is_asked_to_change() -> None:
    change = restoration(git_of(LARGE), made(2, LARGE), OLD, "slow | `so` slow")
    assert (change.branch, change.before, change.now) == (
        "tuneops/rollback-bot-1",
        "finetune/bot.yaml",
        "finetune/bot.yaml",
    )
    assert "| why | `slow \u00a6 'so' slow` |" in change.body
    assert "Nothing is trained" in change.body
    newer = restoration(git_of(LARGE, "2"), None, OLD, "")
    assert "There is newer data than release 1 had" in newer.body
    moved = restoration(git_of(LARGE).replace(path="finetune/b c.yaml"), None, OLD, "")
    assert (moved.before, moved.now) == ("finetune/bot.yaml", "finetune/b c.yaml")
    removed = restoration(git_of(None), None, OLD, "")
    assert removed.now == "finetune/bot.yaml"
    with pytest.raises(RefusedError, match="git can't express this"):
        restoration(git_of(SMALL, "2"), None, OLD, "")
    assert by_hand(moved, "main") == [
        "git fetch origin && git switch -c tuneops/rollback-bot-1 origin/main",
        f"git show {OLD.commit}:finetune/bot.yaml > 'finetune/b c.yaml' "
        "&& git add 'finetune/b c.yaml'",
        "git commit -m 'Roll bot back to release 1'",
        "git push -u origin tuneops/rollback-bot-1",
    ]


SERVED = sees(endpoint=endpoint(NAME, traffic=NAME))
HELD = pinned(git_of(LARGE), OLD)
FROZEN = Verdict(freeze=FREEZE)
ADOPTING = at(Phase.PREPARING, number=3, adopts=1)
WORSE = at(Phase.LIVE, number=2, config=config_of("bot", LARGE))
FOLLOWS = config_of("bot", "").model_copy(
    update={"model": config_of("bot", "").model.model_copy(update={"follow": "latest"})}
)


@pytest.mark.parametrize(
    ("release", "observed", "expected"),
    [
        pytest.param(WORSE, replace(SERVED, live_release=2), actions.StartRelease(), id="begins"),
        pytest.param(
            WORSE,
            replace(SERVED, live_release=2, verdict=FROZEN),
            actions.StartRelease(),
            id="in-a-freeze",
        ),
        pytest.param(at(Phase.TRAINING, number=2), RUNNING, Phase.SUPERSEDED, id="in-the-way"),
        pytest.param(
            at(Phase.TRAINING, number=2, source=SOURCE.replace(version="2")),
            RUNNING,
            Phase.SUPERSEDED,
            id="a-job-is-in-the-way",
        ),
        pytest.param(at(Phase.RETIRED), sees(), actions.StartRelease(), id="comes-back"),
        pytest.param(ADOPTING, sees(), actions.AdoptModel(1), id="adopts"),
        pytest.param(
            ADOPTING, sees(verdict=FROZEN), actions.AdoptModel(1), id="adopts-in-a-freeze"
        ),
        pytest.param(
            ADOPTING, sees(verdict=Verdict(("x",))), actions.Fail, id="the-policy-is-kept"
        ),
        pytest.param(
            at(Phase.LIVE, number=3, adopts=1, config=FOLLOWS),
            replace(SERVED, live_release=3, newest_base_model="m2"),
            actions.ReportBaseModel("m2"),
            id="follows-nothing",
        ),
        pytest.param(at(Phase.FAILED, number=3, adopts=1), SERVED, actions.Idle, id="fails-once"),
        pytest.param(
            at(Phase.FAILED, number=3, adopts=1),
            replace(SERVED, retried=True),
            actions.StartRelease(),
            id="is-retried",
        ),
        pytest.param(at(Phase.LIVE), SERVED, actions.Idle, id="is-live-itself"),
        pytest.param(at(Phase.FAILED), SERVED, actions.StartRelease(), id="failed-while-live"),
    ],
)
def test_decisions_under_a_pin(release: Release, observed: Observed, expected: object) -> None:
    action = decide(HELD, release, observed, NOW)
    assert matches(action, expected), action


BAD = "release 1 was rolled back"
BESIDE = at(Phase.LIVE, number=2)


@pytest.mark.parametrize(
    ("release", "observed", "expected"),
    [
        pytest.param(BESIDE, replace(SERVED, live_release=2), actions.Idle, id="live-beside-it"),
        pytest.param(at(Phase.RETIRED), sees(), actions.Idle(BAD), id="removed-and-put-back"),
        pytest.param(at(Phase.FAILED, number=3), SERVED, actions.Idle, id="failed-beside-it"),
        pytest.param(
            BESIDE,
            replace(SERVED, live_release=2, endpoint=None),
            actions.NoteDrift,
            id="looked-after",
        ),
        pytest.param(
            BESIDE,
            replace(SERVED, live_release=2, retried=True),
            actions.StartRelease(),
            id="is-retried",
        ),
    ],
)
def test_what_was_rejected_stays_out(
    release: Release, observed: Observed, expected: object
) -> None:
    observed = replace(observed, rejected=BAD)
    other = release.replace(fingerprint="other", source=release.source.replace(version="other"))
    action = decide(DESIRED, other, observed, NOW)
    assert matches(action, expected), action


def test_a_failed_release_is_retried_once() -> None:
    failed = at(Phase.FAILED)
    assert isinstance(decide(DESIRED, failed, sees(), NOW), actions.Idle)
    assert decide(DESIRED, failed, sees(retried=True), NOW) == actions.StartRelease()
    assert isinstance(decide(DESIRED, at(Phase.LIVE), SERVED, NOW), actions.Idle)


def test_a_pin_holds_what_was_and_keeps_what_git_says_of_all_releases() -> None:
    git = git_of("suspend: true\nin_flight: finish\non_removal: retain\n" + LARGE)
    held = pinned(git, OLD)
    assert held.config is not None
    assert held.config.deployment == OLD.config.deployment
    assert (held.config.suspend, held.config.in_flight) == (False, "cancel")
    assert held.config.on_removal == "retain"
    assert (held.commit, held.source, held.adopts) == (OLD.commit, OLD.source, 1)


@pytest.mark.parametrize(
    ("git", "expected"),
    [
        pytest.param(git_of(SMALL), True, id="the-same"),
        pytest.param(git_of("suspend: true\n"), True, id="about-all-releases"),
        pytest.param(git_of(LARGE), False, id="another-config"),
        pytest.param(git_of(SMALL, "2"), False, id="other-data"),
        pytest.param(git_of(SMALL).replace(source=None), False, id="data-not-known"),
        pytest.param(git_of(None), False, id="removed"),
        pytest.param(git_of(SMALL).replace(config=FOLLOWS), False, id="follows-the-newest"),
    ],
)
def test_a_pin_ends_when_git_agrees(git: Desired, expected: bool) -> None:
    target = OLD.replace(config=FOLLOWS) if git.config == FOLLOWS else OLD
    assert agrees(git, pinned(git, target)) is expected


def test_everybody_is_told_who_pinned_what_and_what_waits() -> None:
    assert mark(PIN, git_of(LARGE)) == (
        f"{PINNED}; finetune/bot.yaml at cccccccc with data bot/a.jsonl is not acted on"
    )
    assert mark(PIN, git_of(None)) == (
        f"{PINNED}; that finetune/bot.yaml was removed from git is not acted on"
    )
    assert rejection(PIN, WORSE) == (
        "release 2 was rolled back to release 1 by Ada on 2026-01-01 00:00 UTC: answers in French"
    )


def test_rejections_are_met_by_the_same_config_and_data_alone_and_are_bounded() -> None:
    project = Project(name="bot").reject(WORSE, "bad")
    assert project.rejection(git_of(LARGE)) is not None
    assert project.rejection(git_of("suspend: true\n" + LARGE)) is not None
    assert project.rejection(git_of(LARGE, "2")) is None
    assert project.rejection(git_of(SMALL)) is None
    assert project.allow(git_of(LARGE)).rejected == ()
    for number in range(50):
        project = project.reject(made(number, SMALL, version=str(number)), "bad")
    assert [each.release for each in project.rejected] == list(range(30, 50))


@pytest.fixture(scope="module")
def hub(account: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A local cloud of storage and GitHub."""
    manifest = yaml.safe_load((ROOT / "infra" / "local.yaml").read_text())
    with cloud_beside(account, tmp_path_factory.mktemp("hub"), manifest, "platform") as cloud:
        yield cloud


@pytest.fixture
def bot(services: Services) -> Services:
    """The project bot, whose second release is live and has another deployment than the first."""
    store = services.store
    store.write(documents.desired("bot"), git_of(LARGE).replace(source=None), None)
    store.write(documents.project("bot"), Project(name="bot", current=2, live=2), None)
    store.write(documents.release("bot", 1), made(1), None)
    store.write(documents.release("bot", 2), made(2, LARGE, phase=Phase.LIVE), None)
    return services


def go_back(services: Services, project: str = "bot", **order: Any) -> tuple[int, str]:
    """Status and text of the answer."""
    body = json.dumps({"by": "Ada", **order}).encode()
    status, text = rollback.handle(project, {}, body, services)
    return int(status), str(json.loads(text)["text"])


def orders(services: Services) -> Orders:
    stored = services.store.read(documents.orders("bot"), Orders)
    return stored.value if stored else Orders()


@pytest.mark.parametrize(
    ("project", "order", "status", "said"),
    [
        pytest.param("cat", {}, 404, "there is no project 'cat'", id="no-such-project"),
        pytest.param("../x", {}, 404, "there is no project '../x'", id="no-name"),
        pytest.param("bot", {"to": 7}, 409, "bot has no release 7; its newest is 2", id="none"),
        pytest.param("bot", {"to": 0}, 400, "to: Input should be greater", id="zero"),
        pytest.param("bot", {"action": "x"}, 400, "action: Input should be", id="action"),
        pytest.param("bot", {"pin": True}, 400, "pin: Extra inputs", id="extra"),
        pytest.param("bot", {"reason": "a\nb"}, 400, "reason: String should match", id="lines"),
        pytest.param("bot", {"reason": "a" * 5000}, 413, "at most 4096 bytes", id="long"),
        pytest.param(
            "bot", {"action": "pin", "to": 2}, 409, "release 2 is what is live", id="same"
        ),
        pytest.param("bot", {"action": "unpin"}, 409, "bot is not pinned", id="not-pinned"),
        pytest.param("bot", {"to": 2}, 409, "git can't express this", id="git-says-so"),
        pytest.param("bot", {"action": "print"}, 200, "Roll bot back to release 1", id="print"),
    ],
)
def test_orders_are_checked(
    bot: Services, project: str, order: dict[str, Any], status: int, said: str
) -> None:
    answered, text = go_back(bot, project, **order)
    assert (answered, said in text) == (status, True), text
    assert orders(bot) == Orders()


@pytest.mark.parametrize("body", [b"[", b"[]", b"\xff", b'{"to": "one"}'])
def test_what_is_no_order_is_refused(bot: Services, body: bytes) -> None:
    assert rollback.handle("bot", {}, body, bot)[0] == HTTPStatus.BAD_REQUEST


def test_a_pin_is_stored_once_and_taken_back(bot: Services) -> None:
    status, text = go_back(bot, action="pin", reason="answers in French")
    assert (status, "bot is pinned to release 1 by Ada since " in text) == (200, True)
    pin = orders(bot).pin
    assert pin is not None
    assert (pin.release, pin.reason) == (1, "answers in French")
    assert "bot is already pinned" in go_back(bot, action="pin")[1]
    assert orders(bot).pin == pin
    assert go_back(bot, action="unpin", reason="all is well")[0] == 200
    assert orders(bot) == Orders(ended="unpinned by Ada: all is well")


@pytest.mark.parametrize(("easy_auth", "by"), [("True", "grace@contoso.example"), ("", "Ada")])
def test_who_has_signed_in_counts(
    bot: Services, monkeypatch: pytest.MonkeyPatch, easy_auth: str, by: str
) -> None:
    """Where nobody has to sign in, the header is anybody's."""
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", easy_auth)
    headers = {"X-MS-CLIENT-PRINCIPAL": principal(("preferred_username", "grace@contoso.example"))}
    rollback.handle("bot", headers, b'{"action": "pin", "by": "Ada"}', bot)
    pin = orders(bot).pin
    assert pin is not None
    assert pin.by == by


def test_a_key_approves_for_nobody_whom_the_policy_names(
    bot: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever signs in as well: these names are for the page, which asks for the role."""
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "True")
    text = "approvals: [{by: ['entra:ada@contoso.com']}]\npolicy: {by: [ada]}\n"
    policy = parse_policy(text, "tuneops-policy.yaml")
    bot.store.write(documents.policy(""), InForce(policy=policy), None)
    headers = {"X-MS-CLIENT-PRINCIPAL": principal(("preferred_username", "ada@contoso.com"))}
    status, answer = rollback.handle_approval("bot", headers, b"{}", bot)
    assert (status, "want a comment by somebody who may" in answer) == (409, True)


def test_what_the_policy_does_not_allow_is_not_pinned(bot: Services) -> None:
    policy = Policy(allowed_models=("Llama-*",))
    bot.store.write(documents.policy(""), InForce(policy=policy), None)
    status, text = go_back(bot, action="pin")
    assert (status, text.partition(":")[0]) == (409, "the policy does not allow release 1")


def test_only_what_failed_or_was_rolled_back_is_retried(bot: Services) -> None:
    def retry() -> tuple[int, str]:
        status, text = rollback.handle_retry("bot", {}, b'{"by": "Ada"}', bot)
        return int(status), str(json.loads(text)["text"])

    status, text = retry()
    assert (status, "release 2 of bot is Live, and nothing was rolled back" in text) == (409, True)
    held = Project(name="bot", current=2, live=2, held_back="release 1 was rolled back")
    bot.store.update(documents.project("bot"), Project, lambda _: held)
    assert retry() == (200, "what was rolled back is tried again as release 3")
    failed = made(2, LARGE, phase=Phase.FAILED)
    bot.store.update(documents.release("bot", 2), Release, lambda _: failed)
    assert retry() == (200, "release 2, which failed, is tried again as release 3")
    again = orders(bot).retry
    assert again is not None
    assert again.release == 2
    assert rollback.handle_retry("cat", {}, b"", bot)[0] == HTTPStatus.NOT_FOUND


def test_what_was_rolled_back_is_retried_as_soon_as_the_pin_has_ended(bot: Services) -> None:
    """Before the next look has seen that it did."""
    data = bot.blobs.get_container_client(bot.settings.datasets_container)
    data.upload_blob("bot/a.jsonl", b"{}\n")
    left = made(2, LARGE).replace(source=find_source(bot.storage, config_of("bot", LARGE)))
    go_back(bot, action="pin")
    seen = Project(name="bot", current=3, live=3, pin=orders(bot).pin, held_back="it is pinned")
    seen = seen.reject(left, "it was rolled back")
    bot.store.update(documents.project("bot"), Project, lambda _: seen)
    bot.store.write(documents.release("bot", 3), made(3, phase=Phase.LIVE), None)
    status, text = rollback.handle_retry("bot", {}, b"{}", bot)
    assert (status, "it is pinned to release 1 by Ada" in text) == (HTTPStatus.CONFLICT, True)
    go_back(bot, action="unpin")
    status, text = rollback.handle_retry("bot", {}, b"{}", bot)
    assert (status, "is tried again as release 4" in text) == (HTTPStatus.OK, True)


def test_without_github_the_way_by_hand_is_said(bot: Services) -> None:
    nowhere = bot.settings.model_copy(update={"github_api_url": "http://127.0.0.1:9"})
    status, text = rollback.handle("bot", {}, b"{}", Services(nowhere))
    answer = json.loads(text)
    assert status == HTTPStatus.BAD_GATEWAY
    assert answer["text"].endswith("try again. --pin works without GitHub")
    assert answer["commands"][-1] == "git push -u origin tuneops/rollback-bot-1"


@pytest.mark.parametrize(
    "options", [("--pin", "--print"), ("--pin", "--unpin"), ("--unpin", "--to", "1")]
)
def test_orders_that_contradict_themselves(options: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, ["rollback", "bot", *options])
    assert done.exit_code == 2
    assert "give one of --pin, --unpin and --print" in done.output


def github_of(hub: Cloud, contents: str = "write") -> GitHub:
    """TuneOps at GitHub, as an App that may do this with what the repository has."""
    github = hub.connection["github"]
    httpx2.put(
        f"{github['api_url']}/_installation_tokens",
        json={"seconds": 3600, "permissions": {"contents": contents}},
        headers={"Authorization": f"Bearer {github['token']}"},
    ).raise_for_status()
    return Services(app_settings(hub)).github


def change_of(branch: str, commit: str, before: str, now: str) -> Restoration:
    return Restoration(branch, commit, f"finetune/{before}", f"finetune/{now}", "Back", "Because.")


def text_at(hub: Cloud, path: str, branch: str) -> str:
    found = hub.github(f"contents/finetune/{path}?ref={branch}")
    return httpx2.get(
        f"{hub.connection['github']['api_url']}/repos/contoso/models/git/blobs/{found['sha']}",
        headers={
            "Authorization": f"Bearer {hub.connection['github']['token']}",
            "Accept": "application/vnd.github.raw+json",
        },
    ).text


def test_a_permission_that_the_app_lacks_is_named(hub: Cloud) -> None:
    with pytest.raises(GitHubError, match="lacks Contents: read in contoso/models") as caught:
        github_of(hub, "none").head()
    assert "docs/permissions.md" in str(caught.value)
    assert github_of(hub).head()


def test_a_file_is_put_back_by_one_pull_request_however_often(hub: Cloud) -> None:
    github = github_of(hub)
    good = hub.merge({"a.yaml": "one: 1  # first\n"})
    hub.merge({"a.yaml": "two: 2\n", "b.yaml": "other: 1\n"})
    change = change_of("tuneops/rollback-a-1", good, "a.yaml", "a.yaml")
    opened = github.propose(change)
    assert not opened.known
    again = github.propose(change)
    assert (again.number, again.known) == (opened.number, True)
    pull = hub.github(f"pulls/{opened.number}")
    assert (pull["base"]["ref"], pull["body"], pull["user"]["login"]) == (
        "main",
        "Because.",
        "tuneops[bot]",
    )
    (file,) = hub.github(f"pulls/{opened.number}/files")
    assert (file["filename"], file["status"]) == ("finetune/a.yaml", "modified")
    assert text_at(hub, "a.yaml", change.branch) == "one: 1  # first\n"

    # Closed unmerged and moved on meanwhile: the branch that was left is begun anew.
    hub.github(f"pulls/{opened.number}", {"state": "closed"}, "PATCH")
    hub.merge({"b.yaml": "other: 2\n"})
    anew = github.propose(change)
    assert anew.number != opened.number
    files = hub.github(f"pulls/{anew.number}/files")
    assert [file["filename"] for file in files] == ["finetune/a.yaml"]
    hub.github(f"pulls/{anew.number}/merge", {}, "PUT")
    assert text_at(hub, "b.yaml", "main") == "other: 2\n"
    with pytest.raises(UnchangedError, match="is on main as it was in"):
        github.propose(change)


def test_a_file_that_was_renamed_or_deleted_is_put_back(hub: Cloud) -> None:
    github = github_of(hub)
    good = hub.merge({"c.yaml": "one: 1\n", "d.yaml": "one: 1  # d\n"})
    hub.merge({"c.yaml": None, "e.yaml": "two: 2\n", "d.yaml": None})
    renamed = github.propose(change_of("tuneops/rollback-c-1", good, "c.yaml", "e.yaml"))
    (file,) = hub.github(f"pulls/{renamed.number}/files")
    assert (file["filename"], file["status"]) == ("finetune/e.yaml", "modified")
    deleted = github.propose(change_of("tuneops/rollback-d-1", good, "d.yaml", "d.yaml"))
    (file,) = hub.github(f"pulls/{deleted.number}/files")
    assert (file["filename"], file["status"]) == ("finetune/d.yaml", "added")
    with pytest.raises(UnchangedError, match=f"finetune/x.yaml is not in {good[:8]} any more"):
        github.propose(change_of("tuneops/rollback-x-1", good, "x.yaml", "x.yaml"))


def test_the_permission_that_is_missing_is_named(hub: Cloud) -> None:
    good = hub.merge({"f.yaml": "one: 1\n"})
    hub.merge({"f.yaml": "two: 2\n"})
    change = change_of("tuneops/rollback-f-1", good, "f.yaml", "f.yaml")
    with pytest.raises(ForbiddenError, match="permissions Contents: write and Pull requests: wri"):
        github_of(hub, "read").propose(change)
    assert not github_of(hub).propose(change).known
