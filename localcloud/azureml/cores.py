"""Cores: what machines take of which pool of quota.

Dedicated machines take of their family's pool and of what all families share. Low-priority ones
have one pool for all families: https://learn.microsoft.com/azure/machine-learning/how-to-manage-quotas
"""

from collections import Counter

from localcloud.azureml.arm import Json
from localcloud.azureml.vm_sizes import SIZES, find_size

PRIORITIES = DEDICATED, LOW_PRIORITY = ("Dedicated", "LowPriority")
ALL_DEDICATED, ALL_LOW_PRIORITY = "TotalDedicatedCores", "TotalLowPriorityCores"
FAMILIES = tuple(dict.fromkeys(size.family for size in SIZES))
POOLS = (ALL_DEDICATED, *FAMILIES, ALL_LOW_PRIORITY)


def deployment_cores(size_name: str, instances: int) -> Counter[str]:
    """The cores of a deployment, by pool: a fifth more instances than it asks for, rounded up."""
    return _taken(size_name, -(-instances * 6 // 5), DEDICATED)


def node_cores(cluster: Json, nodes: int = 1) -> Counter[str]:
    """The cores of some nodes of a cluster, by pool."""
    properties = cluster["properties"]["properties"]
    return _taken(properties["vmSize"], nodes, properties["vmPriority"])


def _taken(size_name: str, machines: int, priority: str) -> Counter[str]:
    size = find_size(size_name)
    if size is None:
        return Counter()
    pools = (ALL_LOW_PRIORITY,) if priority == LOW_PRIORITY else (size.family, ALL_DEDICATED)
    return Counter(dict.fromkeys(pools, machines * size.cpus))
