"""What the pages of a project and of a release show, made from documents."""

from datetime import timedelta

import pytest

from tests.page_samples import BEGAN, PHASES, failed, release, training, troubled
from tuneops.curves import Curve
from tuneops.loss_curves import loss_curves
from tuneops.message import Delivery
from tuneops.page import testing_view, texts, timeline, traffic_view, training_view
from tuneops.page.message_list import told
from tuneops.page.release_list import SIZE, listing, number_in, trained_before
from tuneops.page.release_view import Around, release_view
from tuneops.project import Project
from tuneops.release import Metrics, Phase, Point, Release
from tuneops.release_note import MAX_REASON, ReleaseNote, note_of, read_note
from tuneops.store import Listed

LATER = BEGAN + timedelta(days=30)
PROJECT = Project(name="bot", current=4, live=3)


@pytest.mark.parametrize("phase", PHASES)
def test_a_release_of_every_phase_has_a_page(phase: Phase) -> None:
    view = release_view(release("bot", 3, phase), Around(PROJECT, release("bot", 2)), LATER)
    gone = [stage.phase for stage in view.stages if stage.at]
    to_come = [stage.phase for stage in view.stages if not stage.at]
    assert (*gone, *to_come) == PHASES
    assert gone[-1] == phase
    assert [stage.now for stage in view.stages].count(True) == (phase != Phase.LIVE)
    trained = phase not in (Phase.PREPARING, Phase.TRAINING)
    assert (view.curves is not None, bool(view.figures)) == (trained, trained)
    assert bool(view.tests.smoke) == (phase in (Phase.SHIFTING, Phase.LIVE))
    assert bool(view.changes) == (phase != Phase.PREPARING)


def test_a_stay_in_a_phase_is_one_stage_with_all_that_was_said() -> None:
    made = release("bot", 1, Phase.SHIFTING)
    for minutes in range(20):
        made = made.advance(
            Phase.SHIFTING, BEGAN + timedelta(days=1, hours=3, minutes=minutes), "x"
        )
    stage = next(s for s in timeline.stages(made, LATER) if s.phase == Phase.SHIFTING)
    assert len(stage.said) == timeline.MAX_SAID
    assert stage.left_out == 21 - timeline.MAX_SAID
    ends = timeline.stages(failed("bot", 1, "no quota"), LATER)
    assert [(each.phase, each.lasted) for each in ends] == [
        (Phase.PREPARING, "2 min"),
        (Phase.TRAINING, "7 min"),
        (Phase.FAILED, ""),
    ]
    assert ends[-1].said[0].text == "no quota"


def test_a_training_says_how_far_it_has_come() -> None:
    made = training("bot", 4)
    assert made.progress is not None
    assert made.progress.ends_at is not None
    now = made.progress.ends_at - timedelta(minutes=56)
    going = training_view.going(made, now)
    assert going is not None
    assert (going.share, going.text) == (0.35, "step 420 of about 1,200, epoch 1.05, loss 1.245")
    assert going.left == "about 56 min left"
    overdue = training_view.going(made, now + timedelta(hours=2))
    assert overdue is not None
    assert overdue.left == ""
    assert training_view.going(release("bot", 4), now) is None


@pytest.mark.parametrize(
    ("name", "value", "before", "change", "tone"),
    [
        ("eval_loss", 1.2, 1.5, "-20.0 %", "better"),
        ("eval_loss", 1.5, 1.2, "+25.0 %", "worse"),
        ("rougeL", 0.5, 0.4, "+25.0 %", "better"),
        ("rougeL", 0.5, 0.5, "as before", ""),
        ("epoch", 3.0, 0.0, "+3", ""),
        ("eval_loss", 1.2, None, "", ""),
    ],
)
def test_a_metric_stands_beside_the_one_before(
    name: str, value: float, before: float | None, change: str, tone: str
) -> None:
    known = Metrics(values={} if before is None else {name: before})
    (figure,) = training_view.figures(Metrics(values={name: value}), known)
    assert (figure.change, figure.tone) == (change, tone)


def test_the_losses_are_those_that_were_seen_until_they_are_read() -> None:
    made = training("bot", 4)
    assert made.progress is not None
    assert loss_curves(made) == made.progress.curves
    course = (Point(step=1, value=2.0), Point(step=2, value=1.0))
    curves = {"grad_norm": course, "eval_loss": course, "loss": course, "train_loss": course}
    read = made.replace(metrics=Metrics(curves=curves))
    assert loss_curves(read) == (
        Curve(name="loss", points=((1.0, 2.0), (2.0, 1.0))),
        Curve(name="eval_loss", points=((1.0, 2.0), (2.0, 1.0))),
    )
    assert loss_curves(release("bot", 1, Phase.PREPARING)) == ()


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (release("bot", 1), [(0, 5), (12, 25), (24, 50), (36, 100), (43.2, 100)]),
        (release("bot", 1, Phase.TESTING), []),
        (release("bot", 1).replace(rollout=None), []),
    ],
)
def test_traffic_goes_by_the_steps_that_were_seen(
    made: Release, expected: list[tuple[float, int]]
) -> None:
    found = traffic_view.shares(made, LATER)
    minutes = [((at - found[0][0]).total_seconds() / 60, share) for at, share in found]
    assert minutes == expected


def test_a_rollout_that_is_given_up_ends_without_traffic() -> None:
    shifting = release("bot", 1, Phase.SHIFTING)
    end = shifting.history[-1].at + timedelta(minutes=40)
    found = traffic_view.shares(shifting.advance(Phase.FAILED, end, "too slow"), LATER)
    assert [share for _, share in found] == [5, 25, 50, 0, 0]


def test_texts_of_others_are_cut_and_hold_no_secret() -> None:
    assert texts.line("a\n b\t c") == "a b c"
    assert texts.cut("  a\n b") == "  a\n b"
    assert len(texts.cut("x" * 9000)) == texts.MAX_TEXT + 1
    assert "hf_" not in texts.line("token hf_abcdefghijklmnopqrstuvwxyz")
    given = {"job": "https://ml.azure.com/runs/a?wsid=/b", "bad": "javascript:alert(1)", "t": "x"}
    assert list(texts.links(given)) == ["job"]


def test_answers_keep_their_spaces_and_have_an_end() -> None:
    made = release("bot", 1)
    (answer,) = made.smoke.answers
    long = made.smoke.replace(answers=(answer.replace(answer="  x\n" + "y" * 9000),))
    (shown,) = testing_view.tests(made.replace(smoke=long)).smoke
    assert shown.answer.startswith("  x\ny")
    assert len(shown.answer) == texts.MAX_TEXT + 1


def test_messages_say_where_they_went() -> None:
    made = release("bot", 1)
    (message,) = told(made, {})
    assert message.channels == {"slack": "sent 03 Mar 11:59"}
    lost = failed("bot", 2, "no quota")
    (owed,) = told(lost, {})
    assert (owed.text, dict(owed.channels)) == ("no quota", {})
    known = {
        "teams": Delivery(attempts=2, error="status 503"),
        "mail": Delivery(attempts=10, gave_up=True, error="no such mailbox"),
    }
    (owed,) = told(lost, {lost.outbox[0].key: known})
    assert owed.channels == {"teams": "waits after 2 tries", "mail": "not sent: no such mailbox"}


def test_a_note_says_what_a_list_shows() -> None:
    made = release("bot", 3)
    note = read_note(note_of(made).text())
    assert note == note_of(made)
    assert (note.phase, note.reached, note.metric, note.value) == (
        "Live",
        "Shifting",
        "eval_loss",
        1.31,
    )
    assert note.ended is not None
    assert note.began is not None
    assert note.ended - note.began == timedelta(minutes=149)
    hostile = note_of(failed("bot", 2, "Ж\r\n😀" * 500)).text()
    assert hostile.isascii()
    assert hostile.isprintable()
    assert len(hostile) < 12 * MAX_REASON + 500
    assert read_note("") == read_note("[1]") == read_note('{"value": "x"}') == ReleaseNote()


def listed(*numbers: int) -> list[Listed]:
    notes = {n: note_of(release("bot", n) if n % 2 else failed("bot", n, "x")) for n in (1, 2)}
    return [
        Listed(f"releases/bot/{number:06}.json", "e", notes[2 - number % 2].text())
        for number in numbers
    ]


@pytest.mark.parametrize(
    ("count", "before", "first", "last", "newer", "older"),
    [
        (0, None, None, None, None, None),
        (3, None, 3, 1, None, None),
        (50, None, 50, 1, None, None),
        (120, None, 120, 71, None, 71),
        (120, 71, 70, 21, 121, 21),
        (120, 21, 20, 1, 71, None),
        (120, 100, 99, 50, 121, 50),
        (120, 1, None, None, 51, None),
        (120, 999, 120, 71, None, 71),
    ],
)
def test_releases_are_listed_newest_first(
    count: int,
    before: int | None,
    first: int | None,
    last: int | None,
    newer: int | None,
    older: int | None,
) -> None:
    found = listing(listed(*range(1, count + 1)), before, LATER)
    numbers = [row.number for row in found.rows]
    assert len(numbers) <= SIZE
    assert (numbers[0] if numbers else None, numbers[-1] if numbers else None) == (first, last)
    assert (found.newer, found.older, found.count) == (newer, older, count)


def test_rows_tell_what_came_of_a_release() -> None:
    failed_row, live_row = listing(listed(1, 2), None, LATER).rows
    assert (failed_row.reached, failed_row.lasted, failed_row.metric) == ("Training", "9 min", "")
    assert (live_row.reached, live_row.lasted, live_row.metric) == ("", "2.5 h", "eval_loss 1.33")
    bare = listing([Listed("releases/bot/000007.json", "e")], None, LATER).rows[0]
    assert (bare.number, bare.lasted, bare.metric) == (7, "", "")
    assert number_in("releases/bot/odd.json") is None
    assert trained_before(listed(1, 2, 3, 4), 4) == 3
    assert trained_before(listed(2), 2) is None


def test_what_is_wrong_is_said_first() -> None:
    view = release_view(
        troubled(release("bot", 4, Phase.TESTING), "no answer"), Around(PROJECT), LATER
    )
    assert view.notices == {"Tried again": "no answer (3 tries)"}
    assert view.marks == ("newest",)
