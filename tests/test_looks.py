"""Which projects a resync looks at, and that none is forgotten whatever goes wrong."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneops.looks import MAX_ENDPOINTS, TURN_AFTER, TURNS, Look, Note, View, due, read_note

NOW = datetime(2026, 1, 10, tzinfo=UTC)
SEEN = View(wanted="w", found="f")
LOOK = Look(view=SEEN, at=NOW - timedelta(hours=1), base_model="azureml/Phi", newest_base_model="1")


def minutes(number: float) -> datetime:
    return NOW + timedelta(minutes=number)


@pytest.mark.parametrize(
    ("view", "note", "newest", "looked_at"),
    [
        pytest.param(SEEN, None, {}, True, id="never-seen"),
        pytest.param(SEEN, Note(), {}, True, id="something-is-to-be-done"),
        pytest.param(SEEN, Note(wake_at=minutes(5)), {}, True, id="not-looked-at-yet"),
        pytest.param(SEEN, Note(look=LOOK), {}, False, id="settled"),
        pytest.param(SEEN, Note(look=LOOK, wake_at=minutes(5)), {}, False, id="waits"),
        pytest.param(SEEN, Note(look=LOOK, wake_at=minutes(-0.5)), {}, False, id="wakes-up-now"),
        pytest.param(SEEN, Note(look=LOOK, wake_at=minutes(-2)), {}, True, id="wake-up-was-lost"),
        pytest.param(View(wanted="x", found="f"), Note(look=LOOK), {}, True, id="other-config"),
        pytest.param(View(wanted="w", found="g"), Note(look=LOOK), {}, True, id="other-in-azure"),
        pytest.param(View(wanted="w"), Note(look=LOOK), {}, False, id="azure-does-not-say"),
        pytest.param(View(wanted="x"), Note(look=LOOK), {}, True, id="azure-does-not-say-but-git"),
        pytest.param(SEEN, Note(look=LOOK), {"azureml/Phi": "1"}, False, id="same-base-model"),
        pytest.param(SEEN, Note(look=LOOK), {"azureml/Phi": "2"}, True, id="newer-base-model"),
        pytest.param(SEEN, Note(look=LOOK), {"azureml/Phi": ""}, True, id="base-model-has-gone"),
        pytest.param(SEEN, Note(look=LOOK), {"azureml/Qwen": "2"}, False, id="other-base-model"),
    ],
)
def test_a_project_is_looked_at_when_something_is_not_as_before(
    view: View, note: Note | None, newest: dict[str, str], looked_at: bool
) -> None:
    notes = {"bot": note} if note else {}
    assert due({"bot": view}, notes, newest, NOW) == (["bot"] if looked_at else [])


def test_every_project_has_its_turn() -> None:
    looks = {f"p{number}": LOOK.replace(at=NOW - timedelta(hours=number)) for number in range(100)}
    rounds = 0
    while chosen := due(
        dict.fromkeys(looks, SEEN), {n: Note(look=look) for n, look in looks.items()}, {}, NOW
    ):
        oldest = min(look.at for look in looks.values())
        assert len(chosen) <= TURNS
        assert any(looks[name].at == oldest for name in chosen)
        assert all(NOW - looks[name].at >= TURN_AFTER for name in chosen)
        looks |= {name: LOOK.replace(at=NOW) for name in chosen}
        rounds += 1
    assert rounds == (100 - 24) / TURNS


def test_projects_that_changed_take_no_turns() -> None:
    old = LOOK.replace(at=NOW - timedelta(days=9))
    notes = {name: Note(look=old) for name in ("a", "b", "c", "d")}
    views = dict.fromkeys(notes, SEEN) | {"d": View(wanted="x", found="f"), "e": SEEN}
    assert due(views, notes, {}, NOW) == ["a", "b", "d", "e"]


@pytest.mark.parametrize(
    "note",
    [
        Note(),
        Note(wake_at=NOW),
        Note(look=LOOK),
        Note(wake_at=NOW, look=LOOK, endpoints=("e" * 32,) * MAX_ENDPOINTS),
    ],
)
def test_a_note_can_be_read_again(note: Note) -> None:
    text = note.text()
    assert read_note(text) == note
    assert text.isascii()
    assert len(text) < 1200


@pytest.mark.parametrize("text", ["", "nonsense", "{", '{"look": 1}', '{"look": {"at": "x"}}'])
def test_a_note_that_can_not_be_read_has_its_project_looked_at(text: str) -> None:
    assert read_note(text) == Note()


@given(st.lists(st.sampled_from(["change", "tick", "lose", "look", "act", "die"]), max_size=60))
def test_a_project_is_left_alone_only_after_a_look_at_what_is(events: list[str]) -> None:
    """The world changes, messages come late, twice or never, and workers die."""
    world, looked_at, note = 0, -1, Note()
    messages: list[View] = []

    def view() -> View:
        return View(wanted="w", found=str(world))

    for event in events:
        if event == "change":
            world += 1
        elif event == "tick" and due({"bot": view()}, {"bot": note}, {}, NOW):
            messages.append(view())
        elif event == "lose":
            messages[:1] = []
        elif event == "act":
            # A look changes something: the note goes first, then comes the change.
            note, world = Note(), world + 1
        elif event == "die":
            note = Note()
        elif event == "look" and messages:
            note = Note(look=LOOK.replace(view=messages[0], at=NOW))
            looked_at = world
            if len(events) % 2:
                messages = messages[1:]
        if not due({"bot": view()}, {"bot": note}, {}, NOW):
            assert looked_at == world
