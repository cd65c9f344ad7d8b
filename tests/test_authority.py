"""Who may change what: rules, who has brought a file, and what of a commit is taken."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from gidgethub import GitHubException
from gidgethub.abc import GitHubAPI
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.planned import come_to, release
from tuneops.changes import ChangeRule, may_change
from tuneops.config_file import InvalidConfigError
from tuneops.gitops import authority
from tuneops.gitops.errors import GitHubError, TooManyError
from tuneops.gitops.github import GitHub
from tuneops.gitops.login import TokenLogin
from tuneops.gitops.moves import Move, Moves, brought_by, read
from tuneops.gitops.repository import Repository, changed_files, read_commit
from tuneops.gitops.snapshot import File, Head, Snapshot
from tuneops.policy import Policy, verdict, who_may_not
from tuneops.policy_file import parse_policy
from tuneops.release import Phase
from tuneops.sources import ConfigSource

NOW = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = "tuneops-policy.yaml"
JSON = {"content-type": "application/json; charset=utf-8"}
RULES = "changes: [{by: [ada]}]\npolicy: {by: [ada]}\n"


@pytest.mark.parametrize(
    ("rule", "concerned"),
    [
        ({}, {"bot", "support-bot", "production.bot", "production.support-bot"}),
        ({"environments": ["production"]}, {"production.bot", "production.support-bot"}),
        ({"environments": [""]}, {"bot", "support-bot"}),
        ({"environments": ["prod*", ""], "projects": ["bot"]}, {"bot", "production.bot"}),
        ({"projects": ["support-*"]}, {"support-bot", "production.support-bot"}),
        ({"environments": ["Production"], "projects": ["Bot"]}, {"production.bot"}),
        ({"environments": ["staging"]}, set()),
    ],
)
def test_what_a_rule_is_about(rule: dict[str, object], concerned: set[str]) -> None:
    rules = [ChangeRule.model_validate({**rule, "by": ["ada"]})]
    projects = ("bot", "support-bot", "production.bot", "production.support-bot")
    assert {each for each in projects if may_change(rules, each)} == concerned


def test_several_rules_name_more_who_may() -> None:
    rules = [ChangeRule(by=("ada", "bob")), ChangeRule(projects=("b*",), by=("Ada", "x[bot]"))]
    assert may_change(rules, "bot") == ("ada", "bob", "Ada", "x[bot]")
    assert may_change(rules[1:], "other") is None
    policy = Policy.model_validate({"changes": rules[1:], "policy": {"by": ["ada"]}})
    assert [who_may_not(policy, "bot", by) for by in ("ADA", "x[bot]")] == ["", ""]
    assert who_may_not(policy, "bot", "bob") == (
        "bot was changed by bob, who is not in changes of tuneops-policy.yaml; have Ada or x[bot] "
        "bring a change of it"
    )
    assert "GitHub does not tell by whom" in who_may_not(policy, "bot", "")
    assert who_may_not(policy, "other", "") == ""


class Refusing(GitHubAPI):
    """GitHub, which answers 403."""

    def __init__(self, message: str, **headers: str) -> None:
        super().__init__("tuneops")
        self.answer = (403, {**JSON, **headers}, json.dumps({"message": message}).encode())

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        return self.answer

    async def sleep(self, seconds: float) -> None:
        raise AssertionError


def test_being_asked_too_much_is_not_to_have_no_record() -> None:
    limit = {"x-ratelimit-limit": "9", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}
    for limited in (
        Refusing("API rate limit exceeded", **limit),
        Refusing("You have exceeded a secondary rate limit"),
    ):
        with pytest.raises(GitHubException):
            asyncio.run(read(limited, "/repos/a/b", "main", "c0", "c1"))
    without = Refusing("Resource not accessible by integration")
    assert asyncio.run(read(without, "/repos/a/b", "main", "c0", "c1")) == Moves()


def test_a_commit_of_too_many_files_stops_no_later_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> None:
        raise TooManyError("2,001 files")

    monkeypatch.setattr(GitHub, "_files", refuse)
    source = ConfigSource(repository="contoso/models")
    github = GitHub("https://api.contoso.example", source, TokenLogin(SecretStr("t")))
    assert github.files_at("c1") is None
    with pytest.raises(GitHubError):
        github.snapshot(Head("c1"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("changes: [{by: [ada]}]", "changes needs policy.by"),
        ("changes: [{by: []}]\npolicy: {by: [ada]}", "changes.0.by: Tuple should have at least 1"),
        ("policy: {by: ['contoso/team']}", "policy.by.0: String should match"),
        ("changes: [{projets: [a], by: [ada]}]", "projets: unknown key; did you mean 'projects'?"),
    ],
)
def test_rules_that_can_not_be_read(text: str, said: str) -> None:
    with pytest.raises(InvalidConfigError) as error:
        parse_policy(text, POLICY)
    assert said in str(error.value)


def test_what_is_ahead_of_its_job_is_held_against_the_rules_once_more() -> None:
    policy = parse_policy(RULES, POLICY)
    made = release().replace(answers_change=True)
    assert verdict(policy, made, "", NOW, "bob").violations == (who_may_not(policy, "bot", "bob"),)
    for allowed in (
        verdict(policy, made, "", NOW, "ada"),
        verdict(policy, made, "", NOW, None),
        verdict(policy, made.replace(answers_change=False), "", NOW, "bob"),
        verdict(policy, come_to(made, Phase.LIVE, NOW), "", NOW, "bob"),
    ):
        assert allowed.violations == ()


HISTORY = {"c0": {}, "c1": {"a": "1"}, "c2": {"a": "1", "b": "1"}, "c3": {"a": "2", "b": "1"}}


def moves(*said: str, whole: bool = True) -> Moves:
    """From "c0 c1 ada", newest last as people write it."""
    return Moves(tuple(Move(*each.split()) for each in reversed(said)), whole)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (moves("c0 c1 ada", "c1 c2 ada", "c2 c3 ada"), {"a": "ada", "b": "ada"}),
        (moves("c0 c1 ada", "c1 c2 bob", "c2 c3 cyd"), {"a": "cyd", "b": "bob"}),
        (moves("c0 c3 bob", "c3 c2 ada", "c2 c3 ada"), {"a": "ada", "b": "bob"}),
        (moves("c1 c2 bob", whole=False), {"a": "", "b": "bob"}),
        (moves("gone c2 bob", "c2 c3 ada"), {"a": "ada", "b": ""}),
        (Moves(), {"a": "", "b": ""}),
    ],
    ids=["one", "several", "there-and-back", "from-half-way", "gone", "no-record"],
)
def test_a_file_is_brought_by_the_last_who_changed_it(
    found: Moves, expected: dict[str, str]
) -> None:
    assert brought_by({"a", "b"}, found, HISTORY.get) == expected


def config(number: int) -> str:
    return f"name: bot\nmodel: {{name: Phi}}\ndata: {{path: bot}}\nevaluation: {{}}\n# {number}\n"


class Branch:
    """A branch that people move, and looks at it."""

    def __init__(self) -> None:
        self.trees: dict[str, Mapping[str, str]] = {}
        self.record: list[Move] = []
        self.seen = Repository()
        self.look({POLICY: RULES, "bot.yaml": config(0)})

    @property
    def taken(self) -> str:
        return self.seen.files["bot.yaml"].sha

    def look(self, files: Mapping[str, str]) -> None:
        """Look at what the branch has now, and note where it is."""
        head = f"{len(self.record):040d}"
        self.trees.setdefault(head, files)
        snapshot = Snapshot(head, tuple(File(path, text) for path, text in sorted(files.items())))
        changed = changed_files(self.seen, snapshot)
        contents = {path: files[path].encode() for path in changed}
        admitted = authority.Admitted(snapshot, contents, head)
        if self.seen.commit:
            admitted = authority.admit(self.seen, snapshot, contents, self._ask)
        now, _ = read_commit(self.seen, admitted.snapshot, admitted.contents, NOW)
        self.seen = admitted.noted(self.seen, now, NOW)

    def move(self, by: str, files: Mapping[str, str]) -> None:
        """Move the branch."""
        before, after = (f"{len(self.record) + n:040d}" for n in (0, 1))
        self.trees[after] = files
        self.record.append(Move(before, after, by))

    def _ask(self, paths: set[str]) -> dict[str, str]:
        new = [move for move in self.record if move.before >= self.seen.judged]
        return brought_by(paths, Moves(tuple(reversed(new)), whole=True), self.trees.get)


FILES = st.sampled_from(
    [
        {POLICY: policy, **bot}
        for policy in (RULES, RULES + "max_nodes: 1\n")
        for bot in ({"bot.yaml": config(0)}, {"bot.yaml": config(1)}, {"bot.yaml": config(2)}, {})
    ]
    + [{"bot.yaml": config(1)}]
)
STEPS = st.lists(st.tuples(st.sampled_from(["ada", "bob", ""]), FILES, st.booleans()), max_size=12)


@given(STEPS)
def test_nothing_is_ever_taken_that_only_others_brought(
    steps: list[tuple[str, Mapping[str, str], bool]],
) -> None:
    """Whatever is new among what is taken, Ada has moved the branch to just that.

    Until she lifts the rules.
    """
    branch = Branch()
    for by, files, looked_at in steps:
        branch.move(by, files)
        if not looked_at:
            continue
        before = {path: state.sha for path, state in branch.seen.files.items()}
        branch.look(files)
        if not branch.seen.policy.changes:
            break
        after = {path: state.sha for path, state in branch.seen.files.items()}
        for path in before.keys() | after.keys():
            if before.get(path) != after.get(path):
                assert any(
                    move.by == "ada"
                    and branch.trees[move.after].get(path) == after.get(path)
                    and branch.trees[move.before].get(path) != after.get(path)
                    for move in branch.record
                )


@given(STEPS)
def test_what_is_looked_at_each_time_is_taken_of_those_who_may(
    steps: list[tuple[str, Mapping[str, str], bool]],
) -> None:
    branch = Branch()
    for by, files, _ in steps:
        was = dict(branch.trees[f"{len(branch.record):040d}"])
        branch.move(by, files)
        branch.look(files)
        for path in (POLICY, "bot.yaml"):
            state = branch.seen.files.get(path)
            matches = (state.sha if state else None) == files.get(path)
            assert matches or path in branch.seen.refused
            if by == "ada" and was.get(path) != files.get(path):
                assert matches
            if path in branch.seen.refused:
                assert branch.seen.refused[path].by in ("bob", "")
