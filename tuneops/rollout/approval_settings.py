"""Before which shares of the traffic a person is asked, as the config says it."""

from typing import Annotated, Literal

from pydantic import Field

from tuneops.section import Section

ANY_TRAFFIC = 0
"""The gate before any traffic at all; mirrored requests are such."""

Percent = Annotated[int, Field(ge=1, le=100, strict=True)]
Before = Annotated[
    Literal["traffic"] | Annotated[tuple[Percent, ...], Field(min_length=1, max_length=20)],
    Field(
        description="traffic: before a new deployment gets any, be it mirrored; a list of shares "
        "in percent, such as 25 and 100: before it gets so much of it or more",
        examples=["traffic", [25, 100]],
    ),
]


class Approval(Section):
    """A person has to say that a new deployment may get traffic, or more of it."""

    before: Before = "traffic"
    timeout_minutes: Annotated[
        float,
        Field(gt=0, le=43_200, allow_inf_nan=False, description="How long is waited for an answer"),
    ] = 1440.0
    on_timeout: Annotated[
        Literal["abort", "hold"],
        Field(description="After that: abort the rollout, or tell people and wait on"),
    ] = "abort"

    @property
    def gates(self) -> frozenset[int]:
        """The shares that are not reached without approval."""
        return gates(self.before)


def gates(before: Literal["traffic"] | tuple[int, ...]) -> frozenset[int]:
    """The shares that are not reached without approval; `ANY_TRAFFIC` is the first there is."""
    return frozenset({ANY_TRAFFIC} if before == "traffic" else before)
