"""Which pull requests lack a review, and which comments on them may be ours."""

import pytest

from tuneops.gitops.open_pulls import MAX_AGAIN, Page, Reviews, review_of
from tuneops.gitops.telling import is_outsiders
from tuneops.policy import Policy

POLICY = Policy()


def page(**heads: str) -> Page:
    pulls = [{"number": int(name[1:]), "head": {"sha": sha}} for name, sha in heads.items()]
    return Page.model_validate({"etag": "e", "pulls": pulls})


def test_a_head_is_reviewed_once_under_each_policy() -> None:
    reviews = Reviews().listed({"1": page(n1="a", n2="b"), "2": page(n3="c")})
    assert reviews.missing(POLICY) == [1, 2, 3]
    reviews = reviews.reviewed_as(2, review_of("b", POLICY)).reviewed_as(3, review_of("x", POLICY))
    assert reviews.missing(POLICY) == [1, 3]
    assert reviews.missing(Policy(max_nodes=2)) == [1, 2, 3]
    assert reviews.listed({"1": page(n2="b2")}).missing(POLICY) == [2]


def test_a_review_that_leaves_something_open_is_done_again_some_times() -> None:
    reviews = Reviews().listed({"1": page(n1="a")}).reviewed_as(1, "of another head")
    done = 0
    while reviews.missing(POLICY):
        reviews = reviews.left_open(1, review_of("a", POLICY))
        done += 1
    assert done == 1 + MAX_AGAIN
    assert reviews.missing(Policy(max_nodes=2)) == [1]


def test_what_is_not_open_any_more_is_forgotten() -> None:
    reviews = Reviews().listed({"1": page(n1="a", n2="b")})
    reviews = reviews.reviewed_as(1, review_of("a", POLICY)).reviewed_as(2, "x")
    reviews = Reviews.model_validate_json(reviews.model_dump_json())
    assert reviews.listed({"1": page(n1="a")}).reviewed == {1: review_of("a", POLICY)}
    assert reviews.listed({}) == Reviews()


@pytest.mark.parametrize(
    ("kind", "association", "outsiders"),
    [
        ("User", "NONE", True),
        ("User", "CONTRIBUTOR", True),
        ("User", "COLLABORATOR", False),
        ("User", "OWNER", False),
        ("Bot", "NONE", False),
    ],
)
def test_a_comment_of_an_outsider_is_never_taken_for_ours(
    kind: str, association: str, outsiders: bool
) -> None:
    comment = {"user": {"type": kind}, "author_association": association}
    assert is_outsiders(comment) is outsiders
    assert is_outsiders({"user": None, "author_association": association}) == (
        association not in ("COLLABORATOR", "OWNER")
    )
