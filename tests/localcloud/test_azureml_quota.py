"""Quota, through the SDK."""

from azure.ai.ml import MLClient


def test_every_family_of_sizes_and_each_total_has_a_limit(ml: MLClient) -> None:
    listed = [vars(usage) for usage in ml.compute.list_usage()]
    low_priority = [usage for usage in listed if "vmFamily/lowPriority" in str(usage["type"])]
    families = {size.family for size in ml.compute.list_sizes()}
    assert {usage["name"]["value"] for usage in low_priority} == families
    assert {usage["limit"] for usage in low_priority} == {-1}
    usages = {usage["name"]["value"]: usage for usage in listed if usage not in low_priority}
    assert families | {"TotalDedicatedCores", "TotalLowPriorityCores"} == set(usages)
    a100 = usages["StandardNCADSA100v4Family"]
    assert a100["limit"] > a100["currentValue"]
    kinds = {name: str(usage["type"]).split("/")[-2] for name, usage in usages.items()}
    assert kinds.pop("TotalDedicatedCores") == "totalDedicatedCores"
    assert kinds.pop("TotalLowPriorityCores") == "totalLowPriorityCores"
    assert set(kinds.values()) == {"dedicatedCores"}
