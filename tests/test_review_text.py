"""The comment on a pull request: what is foreign in it has no meaning there."""

import re

from hypothesis import given
from hypothesis import strategies as st

from tests.config_text import config_of
from tests.test_outcome import plan_of
from tuneops.gitops.review_text import MARK, MAX_COMMENT, Finding, code, comment, verdict
from tuneops.gitops.snapshot import File, Snapshot, merged, touched
from tuneops.outcome import outcome

RESIZED = config_of("bot", "deployment: {instance_count: 2}\n")


def finding() -> Finding:
    before = config_of("bot")
    found = outcome(RESIZED, plan_of(RESIZED), before, plan_of(before))
    return Finding("bot", "finetune/bot.yaml", outcome=found, plan=plan_of(RESIZED))


def test_a_comment_says_what_happens_and_why() -> None:
    text = comment("c" * 40, [], [finding()])
    assert text.startswith(MARK)
    assert "| `bot` | `finetune/bot.yaml` | the same model is deployed anew |" in text
    assert "| `deployment.instance_count` | `1 -> 2` |" in text
    assert verdict([], [finding()]) == ("success", "bot: the same model is deployed anew")


def test_errors_and_what_can_not_be_done_fail() -> None:
    error = "finetune/a.yaml:4: x: unknown key"
    bad = Finding("bot", "finetune/bot.yaml", problem="compute.name: there is none")
    text = comment("c" * 40, [error], [bad])
    assert f"- `{error}`" in text
    assert "**`bot`** `compute.name: there is none`" in text
    state, said = verdict([error], [bad])
    assert (state, said) == ("failure", "can't be carried out: finetune/a.yaml:4, bot")


def test_nothing_is_said_to_be_nothing() -> None:
    assert "No project changes." in comment("c" * 40, [], [])
    assert verdict([], []) == ("success", "no project changes")


@given(st.text(max_size=300))
def test_foreign_text_stays_in_its_code_span(text: str) -> None:
    span = code(text)
    assert re.fullmatch(r"`[^`|\n\r]+`", span)


@given(st.lists(st.text(max_size=200), max_size=60), st.text(min_size=1, max_size=2000))
def test_a_comment_is_never_too_long(errors: list[str], problem: str) -> None:
    bad = [Finding("bot", "finetune/bot.yaml", problem=problem)] * 50
    assert len(comment("c" * 40, errors, bad)) <= MAX_COMMENT + 10
    state, said = verdict(errors, bad)
    assert (state, len(said) <= 140) == ("failure", True)


@given(st.integers(1, 3000))
def test_what_is_cut_keeps_foreign_text_in_its_code_span(length: int) -> None:
    text = comment("c" * 40, ["@everyone " * 20 + "x" * length] * 400, [])
    assert text.endswith("(cut)")
    assert all(line.count("`") % 2 == 0 for line in text.splitlines())


def snapshot(**files: str) -> Snapshot:
    return Snapshot("c", tuple(File(f"{name}.yaml", sha) for name, sha in sorted(files.items())))


def test_a_pull_request_changes_only_what_it_changes() -> None:
    ancestor = snapshot(kept="1", changed="1", removed="1", moved_on="1")
    head = snapshot(kept="1", changed="2", added="1", moved_on="1")
    tracked = snapshot(kept="1", changed="1", removed="1", moved_on="9", newer="1")
    paths = touched(ancestor, head)
    assert paths == {"changed.yaml", "removed.yaml", "added.yaml"}
    found = merged(tracked, head, paths)
    assert found.files == snapshot(kept="1", changed="2", added="1", moved_on="9", newer="1").files
