"""Virtual machine sizes as Azure offers them for computes and managed endpoints.

Source: https://learn.microsoft.com/azure/virtual-machines/sizes/overview
"""

from typing import NamedTuple

from localcloud.azureml.arm import Json

COMPUTE_TYPES = ("AmlCompute", "ComputeInstance", "MIR")


class Size(NamedTuple):
    """A size: virtual CPUs, GPUs, memory in GiB and temporary disk in MiB."""

    name: str
    family: str
    cpus: int
    gpus: int
    memory: float
    disk: int


SIZES = (
    Size("Standard_DS2_v2", "standardDSv2Family", 2, 0, 7, 14336),
    Size("Standard_DS3_v2", "standardDSv2Family", 4, 0, 14, 28672),
    Size("Standard_DS4_v2", "standardDSv2Family", 8, 0, 28, 57344),
    Size("Standard_D12_v2", "standardDv2Family", 4, 0, 28, 204800),
    Size("Standard_F2s_v2", "standardFSv2Family", 2, 0, 4, 16384),
    Size("Standard_F4s_v2", "standardFSv2Family", 4, 0, 8, 32768),
    Size("Standard_F8s_v2", "standardFSv2Family", 8, 0, 16, 65536),
    Size("Standard_E4s_v3", "standardESv3Family", 4, 0, 32, 65536),
    Size("Standard_E8s_v3", "standardESv3Family", 8, 0, 64, 131072),
    Size("Standard_E16s_v3", "standardESv3Family", 16, 0, 128, 262144),
    Size("Standard_NC6s_v3", "standardNCSv3Family", 6, 1, 112, 344064),
    Size("Standard_NC12s_v3", "standardNCSv3Family", 12, 2, 224, 688128),
    Size("Standard_NC24s_v3", "standardNCSv3Family", 24, 4, 448, 1376256),
    Size("Standard_NC24rs_v3", "standardNCSv3Family", 24, 4, 448, 1376256),
    Size("Standard_NC4as_T4_v3", "Standard NCASv3_T4 Family", 4, 1, 28, 180224),
    Size("Standard_NC8as_T4_v3", "Standard NCASv3_T4 Family", 8, 1, 56, 360448),
    Size("Standard_NC16as_T4_v3", "Standard NCASv3_T4 Family", 16, 1, 110, 360448),
    Size("Standard_NC64as_T4_v3", "Standard NCASv3_T4 Family", 64, 4, 440, 2883584),
    Size("Standard_NC24ads_A100_v4", "StandardNCADSA100v4Family", 24, 1, 220, 65536),
    Size("Standard_NC48ads_A100_v4", "StandardNCADSA100v4Family", 48, 2, 440, 131072),
    Size("Standard_NC96ads_A100_v4", "StandardNCADSA100v4Family", 96, 4, 880, 262144),
    Size("Standard_NC40ads_H100_v5", "StandardNCadsH100v5Family", 40, 1, 320, 131072),
    Size("Standard_NC80adis_H100_v5", "StandardNCadsH100v5Family", 80, 2, 640, 262144),
    Size("Standard_ND96asr_v4", "standardNDASv4_A100Family", 96, 8, 900, 6144000),
    Size("Standard_ND96amsr_A100_v4", "standardNDAMSv4_A100Family", 96, 8, 1900, 6553600),
    Size("Standard_ND96isr_H100_v5", "standardNDSH100v5Family", 96, 8, 1900, 28672000),
    Size("Standard_NV36ads_A10_v5", "StandardNVADSA10v5Family", 36, 1, 440, 737280),
    Size("Standard_NV72ads_A10_v5", "StandardNVADSA10v5Family", 72, 2, 880, 1474560),
)

_BY_NAME = {size.name.lower(): size for size in SIZES}


def vm_sizes() -> list[Json]:
    """All sizes as `VirtualMachineSize` resources."""
    return [
        {
            "name": size.name,
            "family": size.family,
            "vCPUs": size.cpus,
            "gpus": size.gpus,
            "memoryGB": size.memory,
            "maxResourceVolumeMB": size.disk,
            "osVhdSizeMB": 1047552,
            "lowPriorityCapable": True,
            "premiumIO": "s" in size.name.split("_")[1].lower(),
            "supportedComputeTypes": list(COMPUTE_TYPES),
        }
        for size in SIZES
    ]


def find_size(name: str) -> Size | None:
    """The size with this name in any case."""
    return _BY_NAME.get(name.lower())
