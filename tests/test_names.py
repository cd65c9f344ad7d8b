"""Names that must never change: by them what was made is found again."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneops import names
from tuneops.data.split import PARTS, SPACE, Split, by_percent, only

WORKSPACE = "/Subscriptions/S/Workspaces/W"
DIGEST = "0123456789ab"


@pytest.mark.parametrize(
    ("parts", "digest"),
    [
        pytest.param((), "4f53cda18c2b", id="nothing"),
        pytest.param(({"b": [1, None], "a": "x"}, "y"), "fcb63cb64977", id="nested"),
        pytest.param(("ü",), "25430e7ac849", id="not-ascii"),
    ],
)
def test_a_digest_is_the_same_in_every_version(parts: tuple[Any, ...], digest: str) -> None:
    assert names.digest(*parts) == digest
    assert re.fullmatch(names.DIGEST, digest)


@pytest.mark.parametrize(
    ("environment", "name", "key"), [("", "bot", "bot"), ("prod", "bot", "prod.bot")]
)
def test_a_project_has_its_environment_in_its_key(environment: str, name: str, key: str) -> None:
    assert names.project_key(environment, name) == key
    assert names.environment_of(key) == environment
    assert names.stream_of(environment, "costs") == names.project_key(environment, "_costs")
    assert re.fullmatch(names.PROJECT_KEY, key)
    assert re.fullmatch(names.STREAM, names.stream_of(environment, "costs"))


@pytest.mark.parametrize("project", ["bot", "prod.bot"])
def test_a_preview_trains_what_its_project_trains(project: str) -> None:
    preview = names.preview_key(project, 12)
    assert preview == f"{project}~12"
    assert (names.is_preview(preview), names.is_preview(project)) == (True, False)
    assert names.family(preview) == names.family(project) == project
    assert names.job_name(preview, DIGEST, 1) == names.job_name(project, DIGEST, 1)


@pytest.mark.parametrize(
    ("project", "attempt", "name"),
    [
        ("bot", 1, "bot-0123456789ab"),
        ("bot", 2, "bot-0123456789ab-2"),
        ("prod.a-bot", 1, "prod_a-bot-0123456789ab"),
    ],
)
def test_a_job_says_whose_it_is(project: str, attempt: int, name: str) -> None:
    assert names.job_name(project, DIGEST, attempt) == name
    assert names.project_of_job(name) == project


@pytest.mark.parametrize("name", ["bot", "bot-0123456789a", "x bot-0123456789ab", "-0123456789ab"])
def test_the_jobs_of_others_are_nobodys(name: str) -> None:
    assert names.project_of_job(name) is None


@pytest.mark.parametrize(
    ("digest", "version"),
    [("0" * 12, "1"), (DIGEST, "1164413938"), (f"{2**31 - 2:012x}", f"{2**31 - 1}")],
)
def test_a_models_version_is_a_positive_number_of_31_bits(digest: str, version: str) -> None:
    assert names.model_version(digest) == version


@pytest.mark.parametrize(
    ("project", "name"),
    [
        ("bot", "bot-4fc051"),
        ("a" * 24, f"{'a' * 24}-4fc051"),
        ("prod.bot", "prod-bot-c16f7f7ea4"),
        ("bot~12", "bot-pr12-3da0a3e35f"),
        ("environment-1.a-very-long-project-name", "environment-1-a-very-6705771bd2"),
        ("environment-12.abcde-fghij-klmnop", "environment-12-abcde-0d877b4868"),
        ("environment-12.ab-cdef", "environment-12-ab-cde-99d06b8749"),
    ],
)
def test_an_endpoint_has_a_name_of_its_own_in_the_region(project: str, name: str) -> None:
    assert names.endpoint_name(project, WORKSPACE) == name
    assert names.endpoint_name(project, WORKSPACE.lower()) == name
    assert names.endpoint_name(project, "/another") != name
    assert re.fullmatch(r"[a-z][a-z0-9-]{2,31}", name)


def test_what_is_ours_says_what_it_is_of() -> None:
    made = names.tags("bot", 3, "c")
    assert made == {"tuneops.project": "bot", "tuneops.release": "3", "tuneops.commit": "c"}
    assert names.tags("bot~7", 3, "c") == {
        **made,
        "tuneops.project": "bot~7",
        "tuneops.preview": "7",
    }
    assert names.lost_tags(made) == ()
    assert names.lost_tags({"tuneops.release": "3"}) == ("tuneops.project", "tuneops.commit")
    assert names.lost_tags(None) == tuple(made)
    assert names.is_ours(made, "bot") is True
    assert [names.is_ours(tags, "bot") for tags in (names.tags("b", 3, "c"), {}, None)] == [
        False
    ] * 3


@pytest.mark.parametrize(
    ("split", "parts"),
    [
        pytest.param(Split(2, 4), "ttvv..", id="all-three"),
        pytest.param(Split(0, 0), "......", id="train-alone"),
        pytest.param(Split(2, 2), "tt....", id="no-validation"),
    ],
)
def test_the_side_of_a_row_is_that_of_its_position(split: Split, parts: str) -> None:
    sides = "".join(".vt"[split.side(place)] for place in range(len(parts)))
    assert sides == parts


@pytest.mark.parametrize("part", PARTS)
def test_a_file_that_belongs_to_a_part_goes_there_as_a_whole(part: str) -> None:
    split = only(part)
    assert [PARTS[split.side(place)] for place in (0, 1, SPACE - 1)] == [part] * 3


def test_a_sample_is_of_the_second_position() -> None:
    half = only("train", 50.0)
    assert half == Split(0, 0, SPACE // 2)
    assert half.takes(SPACE // 2 - 1)
    assert half.takes(SPACE)
    assert not half.takes(SPACE // 2)
    assert only("train").takes(SPACE - 1)
    assert by_percent(25.0, 50.0, 75.0) == Split(SPACE // 4, SPACE * 3 // 4, SPACE * 3 // 4)
    assert by_percent(25.0) == Split(SPACE // 4, SPACE // 4, SPACE)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 100),
    st.integers(0, 100),
    st.lists(st.integers(0, 99), min_size=2, max_size=9, unique=True),
)
def test_a_split_that_is_moved_has_the_outermost_rows_on_different_sides(
    test: int, more: int, places: list[int]
) -> None:
    lowest, highest = min(places), max(places)
    moved = Split(test, test + more).moved(lowest, highest)
    assert moved.side(lowest) != 0
    assert moved.side(highest) == 0
    assert moved.validation - moved.test <= more


def test_a_split_that_divides_the_rows_is_not_moved() -> None:
    assert Split(5, 7).moved(4, 7) == Split(5, 7)
    assert Split(5, 7).moved(5, 9) == Split(6, 8)
    assert Split(5, 7).moved(1, 5) == Split(5, 5)
    assert Split(9, 12).moved(1, 5) == Split(5, 5)
