"""Sizes and quota: what is refused, what is waited for, what is not known."""

import pytest

from tuneops.feasibility import (
    InfeasibleError,
    NoQuotaLeftError,
    Quota,
    Size,
    check_not_retired,
    check_quota,
    find_size,
)

A100 = Size("Standard_NC24ads_A100_v4", "standardNCADSA100v4Family", 24, 1)
FIELD = "compute.cluster.size"
TOTAL = Quota("Total Cluster Dedicated Regional vCPUs", used=0, limit=40)
LOW = Quota("Total Cluster LowPriority Regional vCPUs", used=0, limit=24, tier="low_priority")


def family(used: int = 0, limit: int = 96, name: str = A100.family) -> Quota:
    return Quota(name, used, limit)


@pytest.mark.parametrize(
    ("cores", "quotas", "options"),
    [
        pytest.param(96, [family()], {}, id="all-of-it"),
        pytest.param(96, [family(limit=-1)], {}, id="no-limit"),
        pytest.param(48, [family(used=96)], {"freed": 48}, id="what-goes-makes-room"),
        pytest.param(48, [family(used=48)], {"kept": 48}, id="beside-what-is-live"),
        pytest.param(96, [family(name="Standard NCADS_A100_v4 Family")], {}, id="spelt-otherwise"),
        pytest.param(24, [family(limit=0), LOW], {"tier": "low_priority"}, id="low-priority"),
    ],
)
def test_enough_quota(cores: int, quotas: list[Quota], options: dict[str, object]) -> None:
    assert check_quota(cores, A100, quotas, FIELD, **options) == ""  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cores", "quotas", "options", "said"),
    [
        pytest.param(120, [family()], {}, "the quota is 96; ask for more", id="beyond-the-limit"),
        pytest.param(
            72,
            [family(used=48)],
            {"kept": 48},
            "beside the 48 of the deployment that is live until then, the quota is 96",
            id="never-beside-what-is-live",
        ),
        pytest.param(48, [family(), TOTAL], {}, "family Total Cluster Dedicated", id="total"),
        pytest.param(
            48, [family(), LOW], {"tier": "low_priority"}, "the quota is 24", id="low-priority"
        ),
    ],
)
def test_too_little_quota_is_refused(
    cores: int, quotas: list[Quota], options: dict[str, object], said: str
) -> None:
    with pytest.raises(InfeasibleError, match=said):
        check_quota(cores, A100, quotas, FIELD, **options)  # type: ignore[arg-type]


def test_every_row_of_a_family_counts() -> None:
    low_priority = Quota(A100.family, used=0, limit=-1, tier="low_priority")
    workspace = family(limit=-1)
    for rows in ([family(limit=0), low_priority], [family(limit=0), workspace]):
        with pytest.raises(InfeasibleError, match="the quota is 0"):
            check_quota(24, A100, rows, FIELD)


def test_quota_that_others_use_is_waited_for() -> None:
    with pytest.raises(NoQuotaLeftError, match="24 of 96 are free"):
        check_quota(48, A100, [family(used=72)], FIELD)


def test_quota_that_is_not_known_is_said() -> None:
    said = check_quota(48, A100, [family(name="another")], FIELD)
    assert "the quota for Standard_NC24ads_A100_v4 (dedicated) is not known" in said


@pytest.mark.parametrize(
    "size",
    [
        "Standard_NC6",
        "Standard_NC24r",
        "standard_nc6s_v3",
        "Standard_ND40rs_v2",
        "Standard_NV12s_v3",
        "Standard_NV16as_v4",
    ],
)
def test_retired_sizes_are_refused_with_their_successor(size: str) -> None:
    with pytest.raises(InfeasibleError, match=r"was retired by Azure on .*; choose Standard_N"):
        check_not_retired(size, FIELD)


def test_advice_names_no_retired_size() -> None:
    offered = [A100, Size("Standard_NC24s_v3", "standardNCSv3Family", 24, 4)]
    with pytest.raises(InfeasibleError) as caught:
        find_size("Standard_NC24s_v9", offered, FIELD)
    assert "Standard_NC24s_v3" not in str(caught.value)
    assert A100.name in str(caught.value)
