"""Quota, through the SDK."""

from azure.ai.ml import MLClient


def test_every_family_of_sizes_and_each_total_has_a_limit(ml: MLClient) -> None:
    usages = {usage.name["value"]: vars(usage) for usage in ml.compute.list_usage()}
    families = {size.family for size in ml.compute.list_sizes()}
    assert families | {"TotalDedicatedCores", "TotalLowPriorityCores"} == set(usages)
    a100 = usages["StandardNCADSA100v4Family"]
    assert a100["limit"] > a100["currentValue"]
    kinds = {name: str(usage["type"]).split("/")[-2] for name, usage in usages.items()}
    assert kinds.pop("TotalDedicatedCores") == "totalDedicatedCores"
    assert kinds.pop("TotalLowPriorityCores") == "totalLowPriorityCores"
    assert set(kinds.values()) == {"dedicatedCores"}
