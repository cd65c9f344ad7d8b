"""How fast machines compute and how large models are, from what their makers publish. Pure.

Both are known by name alone. What is not known has no number here, and no forecast.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Peak:
    """Dense floating-point operations in a second that one GPU can do, by the bits of a number."""

    gpu: str
    bits16: float
    bits32: float


_TERA = 1e12
_PEAKS: tuple[tuple[re.Pattern[str], Peak], ...] = tuple(
    (re.compile(f"standard_({pattern})"), Peak(gpu, bits16 * _TERA, bits32 * _TERA))
    for pattern, gpu, bits16, bits32 in (
        (r"nc\d+r?s_v3", "V100", 112, 14),
        (r"nd40rs_v2", "V100", 125, 15.7),
        (r"nc\d+as_t4_v3", "T4", 65, 8.1),
        (r"nv(36|72)adm?s_a10_v5", "A10", 125, 31.2),
        (r"(nc\d+ads|nd\d+amsr)_a100_v4|nd96asr_v4", "A100", 312, 19.5),
        (r"nc\d+adi?s_h100_v5", "H100 NVL", 835, 60),
        (r"nd96isr?_h100_v5", "H100", 989, 67),
        (r"nd96isr?_h200_v5", "H200", 989, 67),
        (r"nd96isr?_mi300x_v5", "MI300X", 1307, 163.4),
    )
)
"""Peaks from NVIDIA's and AMD's datasheets: FP16 or BF16 with tensor cores, without sparsity, and
plain FP32. Which size has which GPU: learn.microsoft.com/azure/virtual-machines/sizes. Sizes with a
part of a GPU are left out."""

_FAMILIES: tuple[tuple[re.Pattern[str], float], ...] = tuple(
    (re.compile(pattern), billions * 1e9)
    for pattern, billions in (
        (r"phi-3\.5-moe", 6.6),
        (r"phi-3(\.5)?-vision", 4.2),
        (r"phi-3(\.5)?-mini", 3.8),
        (r"phi-3-small", 7.4),
        (r"phi-3-medium", 14),
        (r"phi-4-mini", 3.8),
        (r"phi-4-multimodal", 5.6),
        (r"phi-4", 14.7),
    )
)
"""Parameters that a token goes through, from the models' cards."""

_SIZE = re.compile(r"(?<![a-z0-9.])(a?)(\d{1,4}(?:\.\d{1,3})?)([bm])(?![a-z0-9])")
"""A size in a model's name: 7b, 0.5B, 270m; a3b for the active part of a mixture of experts."""


def peak_of(size: str) -> Peak | None:
    """What one GPU of a size of virtual machines can do, None when it is not known."""
    return next((peak for name, peak in _PEAKS if name.fullmatch(size.lower())), None)


def parameters_of(model: str) -> float | None:
    """The parameters of a model that a token goes through, None when its name does not say."""
    name = model.lower()
    for pattern, count in _FAMILIES:
        if pattern.search(name):
            return count
    found = _SIZE.findall(name)
    active = [each for each in found if each[0]]
    for _, number, unit in active or found:
        return float(number) * (1e9 if unit == "b" else 1e6)
    return None
