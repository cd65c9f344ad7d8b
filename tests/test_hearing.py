"""What people say on pull requests and by the key: real storage and the local GitHub."""

import base64
import hmac
import json
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import httpx2
import pytest
from azure.storage.queue import QueueClient

from handlers import config_merged, reconcile, rollback
from tests.cloud import Cloud, app_settings
from tests.test_approval import ALL
from tuneops import asking, documents
from tuneops.actions import AskPeople
from tuneops.audit.reading import read_recent
from tuneops.desired import Desired
from tuneops.gitops.pull_request_channel import PullRequestChannel
from tuneops.hearing import hear_all
from tuneops.orders import Orders
from tuneops.policy import InForce, Policy
from tuneops.policy_file import parse_policy
from tuneops.project import Project
from tuneops.queue import CommentRequest
from tuneops.release import Phase, Release
from tuneops.rollout import approval_record
from tuneops.services import Services

MINUTE = timedelta(minutes=1)
APPROVED = "100% of the traffic for release 3 of bot is approved by ada on "


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A local cloud of storage and GitHub."""
    cloud = Cloud(tmp_path_factory.mktemp("hub"))
    cloud.up("--parts", "storage,platform")
    yield cloud
    cloud.down()


class Team:
    """A project whose third release came by Eve's pull request and asks for all the traffic."""

    def __init__(self, hub: Cloud, tokens: dict[str, str]) -> None:
        self.hub = hub
        own = uuid.uuid4().hex[:8]
        connection = hub.connection["storage"]["connection_string"]
        settings = app_settings(
            hub,
            storage_connection_string=connection,
            state_container=f"state-{own}",
            reconcile_queue=f"reconcile-{own}",
            deliver_queue=f"deliver-{own}",
        )
        self.services = Services(settings)
        self.services.blobs.create_container(settings.state_container)
        self.queue = QueueClient.from_connection_string(connection, settings.reconcile_queue)
        self.queue.create_queue()
        self.tokens = tokens

    @cached_property
    def merged(self) -> tuple[int, str]:
        """A merged pull request of Eve's, and its commit."""
        github, eve = self.hub.github, self.tokens["eve"]
        branch = f"change-{uuid.uuid4().hex[:8]}"
        head = github("branches/main")["commit"]["sha"]
        github("git/refs", {"ref": f"refs/heads/{branch}", "sha": head})
        text = base64.b64encode(branch.encode()).decode()
        path = f"contents/finetune/{branch}.yaml"
        github(path, {"message": branch, "content": text, "branch": branch}, method="PUT")
        number = int(
            github("pulls", {"title": branch, "head": branch, "base": "main"}, token=eve)["number"]
        )
        done = github(f"pulls/{number}/merge", {}, method="PUT")
        self.path = f"finetune/{branch}.yaml"
        return number, str(done["sha"])

    @property
    def pull(self) -> int:
        return self.merged[0]

    def asks(self, name: str = "bot", number: int = 3, minutes: float = 60) -> Release:
        """Have the release of a project ask people, as `act` does, and store all of it."""
        now = datetime.now(UTC)
        _, commit = self.merged
        release = ALL.replace(project=name, number=number, commit=commit, path=self.path)
        action = AskPeople(100, now + minutes * MINUTE)
        release = approval_record.asked(release, action, now)
        release = asking.posted(release, self.services, now)
        self.keep(release)
        return release

    def keep(self, release: Release) -> None:
        """Store a release as the newest of its project."""
        name, store = release.project, self.services.store
        desired = Desired(project=name, commit="c", path=release.path, config=ALL.config)
        store.update(documents.desired(name), Desired, lambda _: desired)
        project = Project(name=name, current=release.number)
        store.update(documents.project(name), Project, lambda _: project)
        path = documents.release(name, release.number)
        store.update(path, Release, lambda _: release)

    def allow(self, text: str) -> None:
        """Let this policy be in force."""
        policy = parse_policy(text, "tuneops-policy.yaml") if text else Policy()
        self.services.store.update(documents.policy(""), InForce, lambda _: InForce(policy=policy))

    def say(self, body: str, by: str = "ada") -> int:
        """A new comment of somebody's; gives its id."""
        made = self.hub.github(
            f"issues/{self.pull}/comments", {"body": body}, token=self.tokens[by]
        )
        return int(made["id"])

    def hear(self) -> None:
        """Look for new comments, as a project that waits does."""
        hear_all(self.pull, self.services)

    def comments(self) -> list[str]:
        found = self.hub.github(f"issues/{self.pull}/comments?per_page=100")
        return [str(each["body"]) for each in found]

    def answers(self) -> list[str]:
        """What TuneOps has answered, in order, without its mark."""
        mark = "<!-- tuneops-answer "
        return [body.partition("\n")[2] for body in self.comments() if body.startswith(mark)]

    def orders(self, name: str = "bot") -> Orders:
        stored = self.services.store.read(documents.orders(name), Orders)
        return stored.value if stored else Orders()

    def requests(self) -> list[dict[str, Any]]:
        """What is on the queue, which is empty afterwards."""
        found = [json.loads(base64.b64decode(m.content)) for m in self.queue.receive_messages()]
        self.queue.clear_messages()
        return found

    def order(self, **body: Any) -> tuple[int, str]:
        """An order with the function's key; status and text of the answer."""
        given = json.dumps({"by": "carl", **body}).encode()
        status, text = rollback.handle_approval("bot", {}, given, self.services)
        return int(status), str(json.loads(text)["text"])


@pytest.fixture(scope="module")
def tokens(hub: Cloud) -> dict[str, str]:
    """Of those who may write, of one who may read, and of one who may nothing."""
    writers = {who: hub.token_of(who) for who in ("ada", "bob", "eve")}
    return {
        **writers,
        "rob": hub.token_of("rob", "read"),
        "mallory": hub.token_of("mallory", "none"),
    }


@pytest.fixture
def team(hub: Cloud, tokens: dict[str, str]) -> Team:
    return Team(hub, tokens)


def test_a_comment_approves_once_however_often_it_is_heard(team: Team) -> None:
    release = team.asks()
    assert release.approval is not None
    assert release.approval.pull == team.pull
    comment = team.say("/tuneops approve bot 3\n\nlooks good")
    request = CommentRequest(number=team.pull, comment=comment)
    for _ in range(2):
        reconcile.handle(request.model_dump_json().encode(), team.services)
    first = team.orders()
    assert first.said is not None
    assert (first.said.by, first.said.approves, first.said.release) == ("ada", True, 3)
    assert first.said.comment == comment
    assert [each["project"] for each in team.requests()] == ["bot"]
    team.hear()
    assert team.orders() == first
    (answer,) = team.answers()
    assert answer.startswith(f"@ada `{APPROVED}")

    # Somebody else says the same, or the contrary: the first answer counts.
    team.say("/tuneops approve", by="bob")
    team.say("/tuneops reject", by="bob")
    team.hear()
    assert team.orders() == first
    assert "was already approved by ada" in team.answers()[1]
    entries = read_recent(team.services.store, "bot", 10).entries[::-1]
    assert [(each.by, each.known, each.action, each.outcome) for each in entries] == [
        ("ada", "github", "approve", "accepted"),
        ("bob", "github", "approve", "accepted"),
        ("bob", "github", "reject", "refused"),
    ]
    assert entries[0].id == f"comment-{comment}"
    assert "was approved by ada" in team.answers()[2]
    assert "nothing was done" in team.answers()[2]


def test_a_comment_whose_event_was_lost_is_found(team: Team) -> None:
    release = team.asks()
    assert release.approval is not None
    team.say("/tuneops reject")
    unknown = release.replace(approval=release.approval.replace(pull=None))
    now = datetime.now(UTC)
    looked = asking.looked(unknown, team.services, now)
    assert looked.approval == release.approval.replace(looked=now)
    said = team.orders().said
    assert said is not None
    assert (said.by, said.approves) == ("ada", False)
    assert release.approval.is_met_by(said, release.number)


def test_a_crash_after_the_order_is_told_the_same(team: Team) -> None:
    team.asks()
    comment = team.say("/tuneops approve")
    team.hear()
    heard = documents.heard("contoso/models", team.pull)
    team.services.blobs.get_blob_client(team.services.settings.state_container, heard).delete_blob()
    before = team.orders()
    reconcile.handle(
        CommentRequest(number=team.pull, comment=comment).model_dump_json().encode(), team.services
    )
    assert team.orders() == before
    (answer,) = team.answers()
    assert answer.startswith(f"@ada `{APPROVED}")


NAMES_BOB = "approvals: [{by: [bob]}]\npolicy: {by: [ada]}"
NOT_OWN = "approvals: [{not_by_author: true}]\npolicy: {by: [ada]}"
REFUSED = [
    ("", "rob", "/tuneops approve", "only who may write to the repository may"),
    ("", "rob", "/tuneops reject", "only who may write to the repository may"),
    (NAMES_BOB, "ada", "/tuneops approve", "approvals of tuneops-policy.yaml want bob to"),
    (NOT_OWN, "eve", "/tuneops approve bot", "who opened the pull request may not approve it"),
    ("", "ada", "/tuneops approve cat", "cat asks for nothing here"),
    ("", "ada", "/tuneops approve bot 2", "release 2 of bot does not ask here, release 3 does"),
    ("", "ada", "/tuneops approve bot 3 25%", "asks about 100% of the traffic, not 25% of"),
    ("", "ada", "/tuneops aprove", "that is no command: write '/tuneops approve' or '/tuneops"),
]


def test_what_is_refused_changes_nothing_and_is_answered(team: Team) -> None:
    asked = team.asks()
    for policy, by, body, why in REFUSED:
        team.allow(policy)
        team.say(body, by)
        team.hear()
        answer = team.answers()[-1]
        assert answer.startswith(f"@{by} ")
        assert why in answer
    assert len(team.answers()) == len(REFUSED)
    assert (team.orders(), team.requests()) == (Orders(), [])
    stored = team.services.release("bot", 3)
    assert stored is not None
    assert stored.value == asked


def test_who_has_no_part_in_the_repository_gets_a_reaction_alone(team: Team) -> None:
    team.asks()
    comment = team.say("/tuneops approve", by="mallory")
    team.hear()
    team.hear()
    (reaction,) = team.hub.github(f"issues/comments/{comment}/reactions")
    assert reaction["content"] == "-1"
    assert (team.answers(), team.orders()) == ([], Orders())


def test_what_others_have_made_of_a_comment_does_not_count(team: Team) -> None:
    """Who may write may edit what an approver has written."""
    team.asks()
    comment = team.say("Looks good to me.")
    edited = {"body": "/tuneops approve"}
    path = f"issues/comments/{comment}"
    time.sleep(1)
    team.hub.github(path, edited, method="PATCH", token=team.tokens["bob"])
    team.hear()
    assert team.orders() == Orders()
    assert "this comment was edited: write a new one" in team.answers()[0]


def test_quotes_code_and_our_own_words_order_nothing(team: Team) -> None:
    team.asks()
    for message in team.asks().outbox:
        if message.only:
            channel = PullRequestChannel(
                team.services.github, "contoso/models", team.services.store
            )
            channel.send(message, "")
            channel.send(message, "")
    team.say("> /tuneops approve")
    team.say("```\n/tuneops approve\n```")
    team.hear()
    assert team.orders() == Orders()
    assert len(team.comments()) == 3
    assert "Comment `/tuneops approve bot 3 100%` until " in team.comments()[0]


def test_what_comes_too_late_or_is_past_is_refused(team: Team) -> None:
    team.asks(minutes=-1)
    team.say("/tuneops approve")
    team.hear()
    assert "too late: 100% of the traffic had to be answered by " in team.answers()[0]
    assert team.order()[0] == 409
    team.keep(ALL.replace(number=4, phase=Phase.TRAINING))
    team.say("/tuneops approve bot")
    team.hear()
    assert "release 3 of bot is past, nothing was changed: its newest is 4" in team.answers()[1]
    status, text = team.order(release=3)
    assert (status, "release 3 of bot is past" in text) == (409, True)
    status, text = team.order()
    assert (status, text) == (409, "release 4 of bot (Training) waits for no approval")
    assert team.order(release=5)[1] == "bot has no release 5; its newest is 4"
    assert team.orders() == Orders()


def test_of_several_that_ask_one_is_named(team: Team) -> None:
    team.asks()
    team.asks("cat", 1)
    team.say("/tuneops approve")
    team.say("/tuneops approve cat")
    team.say("/tuneops approve bot")
    team.hear()
    assert "several ask here, name one of them: bot, cat" in team.answers()[0]
    cat, bot = team.orders("cat").said, team.orders().said
    assert (cat and cat.release, bot and bot.release) == (1, 3)


def test_the_environments_reviewers_may_approve(team: Team) -> None:
    def user(login: str) -> dict[str, Any]:
        found = team.hub.github(f"collaborators/{login}/permission")["user"]
        return {"type": "User", "id": found["id"]}

    github = team.hub.connection["github"]

    def organization(method: str, path: str, body: dict[str, Any]) -> Any:
        answer = httpx2.request(
            method,
            f"{github['api_url']}/orgs/contoso/{path}",
            headers={"Authorization": f"Bearer {github['token']}"},
            json=body,
        )
        return answer.json()

    owners = organization("POST", "teams", {"name": "owners"})
    organization("PUT", "teams/owners/memberships/rob", {})
    rules = {"reviewers": [user("eve"), {"type": "Team", "id": owners["id"]}]}
    environment = "environments/bot"
    team.hub.github(environment, {**rules, "prevent_self_review": True}, method="PUT")
    try:
        team.asks()
        for who in ("ada", "eve", "rob"):
            team.say("/tuneops approve", by=who)
        team.hear()
    finally:
        team.hub.github(environment, {}, method="PUT")
    assert "only a required reviewer of the environment may" in team.answers()[0]
    assert "who opened the pull request may not" in team.answers()[1]
    said = team.orders().said
    assert said is not None
    assert said.by == "rob"


def test_what_github_does_not_show_is_not_guessed(team: Team) -> None:
    github = team.hub.connection["github"]

    def grant(actions: str) -> None:
        for method, body in (
            ("PUT", {"seconds": 3600, "permissions": {"actions": actions}}),
            ("DELETE", None),
        ):
            httpx2.request(
                method,
                f"{github['api_url']}/_installation_tokens",
                headers={"Authorization": f"Bearer {github['token']}"},
                json=body,
            ).raise_for_status()

    team.asks()
    grant("none")
    try:
        team.say("/tuneops approve")
        team.hear()
        assert "grant its App or token the permission Actions: read" in team.answers()[0]
        assert team.orders() == Orders()
        team.allow("approvals: [{by: [ada]}]\npolicy: {by: [ada]}")
        team.say("/tuneops approve")
        team.hear()
    finally:
        grant("read")
    assert team.orders().said is not None


def test_the_key_approves_where_the_policy_lets_it(team: Team) -> None:
    team.asks()
    team.allow("approvals: [{by: [ada]}]\npolicy: {by: [ada]}")
    status, text = team.order()
    assert (status, "want a comment by somebody who may" in text) == (409, True)
    assert team.orders() == Orders()
    team.allow("approvals: [{by: [ada], function_key: true}]\npolicy: {by: [ada]}")
    status, text = team.order(reason="seen it")
    assert (status, "is approved by carl on" in text) == (200, True)
    status, text = team.order(by="dora")
    assert (status, "was already approved by carl on" in text) == (200, True)
    assert team.order(reject=True)[0] == 409
    assert len(team.requests()) == 3
    said = team.orders().said
    assert said is not None
    assert (said.by, said.reason, said.comment) == ("carl", "seen it", None)


def test_whoever_has_the_key_may_reject(team: Team) -> None:
    team.asks()
    team.allow("approvals: [{by: [ada]}]\npolicy: {by: [ada]}")
    assert "not a mirror of the requests" in team.order(share=0, reject=True)[1]
    assert "is rejected by carl on" in team.order(share=100, reject=True, reason="no")[1]
    said = team.orders().said
    assert said is not None
    assert (said.approves, said.reason) == (False, "no")


def test_a_reviewer_may_look_like_an_outsider(team: Team) -> None:
    """As a member of an organization who hides that."""
    found = team.hub.github("collaborators/mallory/permission")["user"]
    rules = {"reviewers": [{"type": "User", "id": found["id"]}]}
    team.hub.github("environments/bot", rules, method="PUT")
    try:
        team.asks()
        team.say("/tuneops approve", by="mallory")
        team.hear()
    finally:
        team.hub.github("environments/bot", {}, method="PUT")
    said = team.orders().said
    assert said is not None
    assert said.by == "mallory"


def test_a_github_that_does_not_answer_holds_nothing_up(team: Team) -> None:
    settings = team.services.settings.model_copy(
        update={"github_api_url": "http://127.0.0.1:9", "github_installation_id": 1}
    )
    deaf = Services(settings)
    now = datetime.now(UTC)
    release = approval_record.asked(ALL, AskPeople(100, now + MINUTE), now)
    release = asking.posted(release, deaf, now)
    assert release.approval is not None
    assert (release.approval.pull, release.approval.looked) == (None, None)
    for known in (release, release.replace(approval=release.approval.replace(pull=7))):
        looked = asking.looked(known, deaf, now).approval
        assert looked is not None
        assert looked.looked == now


def test_unchanged_comments_cost_nothing(team: Team) -> None:
    team.asks()
    team.say("/tuneops approve")

    def counts() -> dict[str, int]:
        github = team.hub.connection["github"]
        found = httpx2.get(
            f"{github['api_url']}/_requests",
            headers={"Authorization": f"Bearer {github['token']}"},
        ).json()
        return {n: c for n, c in found.items() if "/issues/{number}/comments" in n}

    team.hear()
    team.hear()
    before = counts()
    team.hear()
    after = counts()
    new = {name: after[name] - before.get(name, 0) for name in after}
    assert [name.rpartition(" ")[2] for name, count in new.items() if count] == ["304"]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param({}, True, id="new"),
        pytest.param({"action": "edited"}, False, id="edited"),
        pytest.param({"action": "deleted"}, False, id="deleted"),
        pytest.param({"body": "Well done"}, False, id="no-command"),
        pytest.param({"repository": "other/models"}, False, id="another-repository"),
        pytest.param({"issue": {"number": 7}}, False, id="an-issue"),
    ],
)
def test_only_a_new_command_on_a_pull_request_is_looked_at(
    team: Team, event: dict[str, Any], expected: bool
) -> None:
    status, _ = deliver(
        team,
        {
            "action": event.get("action", "created"),
            "issue": event.get("issue", {"number": 7, "pull_request": {"url": "u"}}),
            "comment": {"id": 12, "body": event.get("body", "/tuneops approve")},
            "repository": {"full_name": event.get("repository", "Contoso/models")},
            "sender": {"login": "ada"},
        },
    )
    assert status == 202
    found = [(each["kind"], each["number"], each["comment"]) for each in team.requests()]
    assert found == ([("comment", 7, 12)] if expected else [])


def test_a_delivery_that_lacks_what_is_needed_is_refused(team: Team) -> None:
    assert deliver(team, {"action": "created", "issue": {"number": 0}}) == (
        400,
        "the issue_comment lacks issue.number, comment, repository",
    )


def deliver(team: Team, body: dict[str, Any]) -> tuple[int, str]:
    """A signed delivery of an issue_comment event."""
    raw = json.dumps(body).encode()
    headers = {
        "x-github-event": "issue_comment",
        "x-github-delivery": "1",
        "content-type": "application/json",
        "x-hub-signature-256": "sha256=" + hmac.new(b"secret", raw, "sha256").hexdigest(),
    }
    status, text = config_merged.handle(headers, raw, team.services)
    return int(status), text
