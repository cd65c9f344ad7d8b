"""The phases of a release, and which may follow which. Pure."""

from collections.abc import Mapping
from enum import StrEnum


class Phase(StrEnum):
    """Where a release stands; the first eight in their order, then the other ends."""

    PREPARING = "Preparing"
    TRAINING = "Training"
    EVALUATING = "Evaluating"
    REGISTERING = "Registering"
    DEPLOYING = "Deploying"
    TESTING = "Testing"
    SHIFTING = "Shifting"
    LIVE = "Live"
    SUPERSEDED = "Superseded"
    FAILED = "Failed"
    RETIRED = "Retired"

    @property
    def ended(self) -> bool:
        """Whether a release in this phase has nothing more to reach."""
        return self in (Phase.LIVE, Phase.SUPERSEDED, Phase.FAILED, Phase.RETIRED)

    @property
    def settled(self) -> bool:
        """Whether the newest release stays in this phase until something else is wanted."""
        return self in (Phase.LIVE, Phase.FAILED)


_FAILED = "it can't or may not go on"
_RETIRED = "the config was removed"
_ENDS = {
    Phase.FAILED: _FAILED,
    Phase.SUPERSEDED: "something else is wanted",
    Phase.RETIRED: _RETIRED,
}
"""How a release under way may end at any time."""

TRANSITIONS: Mapping[Phase, Mapping[Phase, str]] = {
    Phase.PREPARING: {
        Phase.TRAINING: "data, plan and cluster are ready",
        Phase.REGISTERING: "a pin brings its model",
        **_ENDS,
    },
    Phase.TRAINING: {Phase.EVALUATING: "the job completed", **_ENDS},
    Phase.EVALUATING: {Phase.REGISTERING: "the metrics passed", **_ENDS},
    Phase.REGISTERING: {Phase.DEPLOYING: "the model is registered", **_ENDS},
    Phase.DEPLOYING: {Phase.TESTING: "the deployment is ready", **_ENDS},
    Phase.TESTING: {Phase.SHIFTING: "the smoke test passed", **_ENDS},
    Phase.SHIFTING: {
        Phase.LIVE: "it has all traffic",
        Phase.DEPLOYING: "its deployment has gone",
        **_ENDS,
    },
    Phase.LIVE: {
        Phase.DEPLOYING: "what served has gone",
        Phase.SUPERSEDED: "a newer release is live",
        Phase.RETIRED: _RETIRED,
    },
    Phase.SUPERSEDED: {Phase.RETIRED: _RETIRED},
    Phase.FAILED: {Phase.RETIRED: _RETIRED},
    Phase.RETIRED: {},
}
"""Every phase that may follow each, and when it does."""


def check_transition(before: Phase, after: Phase) -> None:
    """Let nothing but the table's transitions happen; a phase may tell more of itself.

    Raises:
        ValueError: `after` does not follow `before`.
    """
    if after != before and after not in TRANSITIONS[before]:
        raise ValueError(f"a release that is {before} can't become {after}")
