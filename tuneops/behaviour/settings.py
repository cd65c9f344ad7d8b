"""The section `behaviour` of a config: what a new deployment must answer before it gets traffic."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from tuneops.section import Section

Score = Literal["exact_match", "rouge_l", "regex"]
OnInconclusive = Literal["fail", "continue"]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)]


class EvaluationSet(Section):
    """Questions with what is expected of their answers, asked of the new and the live model."""

    name: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z][A-Za-z0-9 _-]{0,38}[A-Za-z0-9]$",
            description="What people call it",
            examples=["answers", "base ability"],
        ),
    ]
    path: Annotated[
        str,
        Field(
            max_length=512,
            pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]*(/[a-zA-Z0-9][a-zA-Z0-9._-]*)*\.jsonl$",
            description="A file of JSON Lines in the datasets container, outside of data.path",
            examples=["behaviour/support-bot.jsonl"],
        ),
    ]
    score: Annotated[
        Score,
        Field(
            description="exact_match: the answer is an expected one; rouge_l: how much of it they "
            "share, in order (F1); regex: the row's pattern is found in it"
        ),
    ] = "exact_match"
    min_score: Annotated[
        Share | None, Field(description="The mean score must be as high, from 0 to 1")
    ] = None
    max_drop: Annotated[
        Share | None,
        Field(
            description="So far may the mean score be below the live deployment's, in points from "
            "0 to 1; null: it is not compared"
        ),
    ] = 0.05
    required: Annotated[
        bool, Field(description="false: people are told, and nothing depends on it", strict=True)
    ] = True
    max_rows: Annotated[
        int, Field(ge=1, le=500, description="So many rows are asked at most, the first of them")
    ] = 200


class Behaviour(Section):
    """Evaluation sets that a new deployment is asked after the smoke test."""

    sets: Annotated[
        tuple[EvaluationSet, ...],
        Field(max_length=5, description="None: nothing but the smoke test is asked"),
    ] = ()
    min_rows: Annotated[
        int, Field(ge=1, le=500, description="With fewer answers a set is inconclusive")
    ] = 20
    on_inconclusive: Annotated[
        OnInconclusive,
        Field(
            description="When a required set is neither passed nor proven to fail: the release "
            "fails, or it goes on"
        ),
    ] = "fail"
    max_requests: Annotated[
        int,
        Field(
            ge=1,
            le=10_000,
            description="So many requests are sent in all, of all sets and to both deployments; "
            "the sets share them",
        ),
    ] = 1_000
    concurrency: Annotated[
        int, Field(ge=1, le=8, description="Requests to one deployment at the same time")
    ] = 1
    max_new_tokens: Annotated[
        int, Field(ge=1, le=4096, description="The longest answer; nothing is sampled")
    ] = 200

    @field_validator("sets")
    @classmethod
    def _told_apart(cls, sets: tuple[EvaluationSet, ...]) -> tuple[EvaluationSet, ...]:
        names = [each.name for each in sets]
        doubled = next((name for name in names if names.count(name) > 1), None)
        if doubled:
            raise ValueError(f"two sets have the name {doubled!r}")
        return sets
