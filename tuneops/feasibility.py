"""Whether machines can train and serve a model: rules over sizes, allow lists and quota. Pure.

Every refusal says what to choose instead.
"""

import ast
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

FINETUNE_ALLOW_LIST = "finetune_compute_allow_list"
INFERENCE_ALLOW_LIST = "inference_compute_allow_list"
MAX_NAMED = 12

_RETIRED: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), when, successor)
    for pattern, when, successor in (
        (r"Standard_NC\d+r?(_Promo)?", "2023-09-06", "Standard_NC4as_T4_v3"),
        (r"Standard_NC\d+r?s_v2", "2023-09-06", "Standard_NC24ads_A100_v4"),
        (r"Standard_ND\d+r?s", "2023-09-06", "Standard_NC24ads_A100_v4"),
        (r"Standard_NV\d+(_Promo)?", "2023-09-06", "Standard_NV36ads_A10_v5"),
        (r"Standard_NC\d+r?s_v3", "2025-09-30", "Standard_NC24ads_A100_v4"),
        (r"Standard_ND\d+rs_v2", "2025-09-30", "Standard_ND96asr_v4"),
        (r"Standard_NV\d+s_v3", "2026-09-30", "Standard_NV36ads_A10_v5"),
        (r"Standard_NV\d+as_v4", "2026-09-30", "Standard_NV36ads_A10_v5"),
    )
)
"""Series that Azure has retired, by learn.microsoft.com/azure/virtual-machines/sizes.

Those that Microsoft's tutorial refuses for fine-tuning (NC6, NC12, NC24, NC24r) are among them.
"""

_TOTALS = frozenset(
    {
        "totaldedicatedcores",
        "totalclusterdedicatedregionalvcpus",
        "totallowprioritycores",
        "totalclusterlowpriorityregionalvcpus",
    }
)
"""What all families share; low-priority machines have no other quota."""


class InfeasibleError(ValueError):
    """It can't be done as the config says; the message says what to choose instead."""


class NoQuotaLeftError(ValueError):
    """It could be done, if others did not use the quota now."""


@dataclass(frozen=True)
class Size:
    """A virtual machine size; `gpus` and `cores` for each machine."""

    name: str
    family: str
    cores: int
    gpus: int


@dataclass(frozen=True)
class Quota:
    """Cores of one family of sizes in the workspace's region; `limit` -1: none.

    Azure may list a family several times: by tier, and for the workspace and the subscription.
    """

    family: str
    used: int
    limit: int
    tier: str = "dedicated"


def check_not_retired(size: str, field: str) -> None:
    """Refuse sizes that Azure does not have any more.

    Raises:
        InfeasibleError: naming the successor.
    """
    if retired := _retired(size):
        when, successor = retired
        raise InfeasibleError(f"{field}: {size} was retired by Azure on {when}; choose {successor}")


def _retired(size: str) -> tuple[str, str] | None:
    """When a size was retired, and what came after it."""
    matching = (rest for pattern, *rest in _RETIRED if pattern.fullmatch(size))
    return next(((when, successor) for when, successor in matching), None)


def find_size(name: str, sizes: Iterable[Size], field: str) -> Size:
    """The size with this name, whatever the case.

    Raises:
        InfeasibleError: the region does not offer it.
    """
    check_not_retired(name, field)
    by_name = {size.name.lower(): size for size in sizes if not _retired(size.name)}
    if name.lower() in by_name:
        return by_name[name.lower()]
    near = get_close_matches(name.lower(), by_name, n=MAX_NAMED, cutoff=0.6)
    shown = [by_name[key].name for key in near] or _with_gpus(by_name.values())
    raise InfeasibleError(f"{field}: the region has no size {name}; available are {_listed(shown)}")


def _with_gpus(sizes: Iterable[Size]) -> list[str]:
    """The sizes to choose from for training."""
    return sorted(size.name for size in sizes if size.gpus and not _retired(size.name))


def gpus_per_node(
    size: Size,
    asked: int | None,
    sizes: Iterable[Size],
    field: str,
    asked_in: str = "compute.gpus_per_node",
) -> int:
    """How many GPUs of a machine are used: all, unless fewer were asked for, in that field.

    `sizes` are those of the region.

    Raises:
        InfeasibleError: it has none, or fewer than asked for.
    """
    if not size.gpus:
        raise InfeasibleError(
            f"{field}: {size.name} has no GPU; choose one of {_listed(_with_gpus(sizes))}"
        )
    if asked and asked > size.gpus:
        raise InfeasibleError(
            f"{asked_in} is {asked}, {size.name} has {size.gpus}; leave it out to use all of them"
        )
    return asked or size.gpus


def check_fine_tuning_size(size: str, model_tags: Mapping[str, str], field: str) -> None:
    """Refuse a size that the base model can't be fine-tuned on.

    Raises:
        InfeasibleError: naming the sizes that are allowed.
    """
    if FINETUNE_ALLOW_LIST in model_tags:
        _check_allow_list(size, model_tags[FINETUNE_ALLOW_LIST], "fine-tuned", field)


def check_serving_size(size: str, model_tags: Mapping[str, str], field: str) -> None:
    """Refuse a size that the model can't be served on.

    Raises:
        InfeasibleError: naming the sizes that are allowed.
    """
    if INFERENCE_ALLOW_LIST in model_tags:
        _check_allow_list(size, model_tags[INFERENCE_ALLOW_LIST], "served", field)


def deployment_cores(size: Size, instances: int) -> int:
    """The cores that a deployment takes: Azure adds a fifth for upgrades, rounded up.

    See learn.microsoft.com/azure/machine-learning/how-to-manage-quotas.
    """
    return -(-instances * 6 // 5) * size.cores


def check_quota(
    cores: int,
    size: Size,
    quotas: Iterable[Quota],
    field: str,
    *,
    freed: int = 0,
    kept: int = 0,
    tier: str = "dedicated",
) -> str:
    """Refuse what the quota of the size's family, or of all families, does not allow.

    `freed` cores are in use now and will not be then; `kept` ones serve until the new ones do.

    Returns:
        What could not be checked, empty when all was.

    Raises:
        InfeasibleError: the limit is below what is needed.
        NoQuotaLeftError: too much of it is in use now.
    """
    of_tier = [quota for quota in quotas if quota.tier == tier]
    totals = [quota for quota in of_tier if _letters(quota.family) in _TOTALS]
    of_family = [quota for quota in of_tier if _letters(quota.family) == _letters(size.family)]
    for quota in (*of_family, *totals):
        _check_limit(cores, size, quota, field, freed, kept)
    if not (of_family if tier == "dedicated" else totals):
        return f"{field}: the quota for {size.name} ({tier}) is not known and was not checked"
    return ""


def first_possible(fields: Iterable[str], check: Callable[[str], str]) -> str:
    """What `check` notes of the first of these fields that it does not refuse.

    Which ones it did refuse is noted as well.

    Raises:
        InfeasibleError: it refuses all of them, and more quota is needed.
        NoQuotaLeftError: it refuses all of them, and one of them for now alone.
    """
    refusals: list[ValueError] = []
    for field in fields:
        try:
            note = check(field)
        except (InfeasibleError, NoQuotaLeftError) as error:
            refusals.append(error)
        else:
            return "; ".join(filter(None, (*map(str, refusals), note)))
    said = "; ".join(map(str, refusals))
    for_now = any(isinstance(error, NoQuotaLeftError) for error in refusals)
    raise NoQuotaLeftError(said) if for_now else InfeasibleError(said)


def _check_limit(cores: int, size: Size, quota: Quota, field: str, freed: int, kept: int) -> None:
    if quota.limit < 0:
        return
    needs = f"{field}: {size.name} needs {cores} cores of family {quota.family}"
    if cores > quota.limit:
        raise InfeasibleError(
            f"{needs}, the quota is {quota.limit}; ask for more quota or choose a smaller size"
        )
    if cores + kept > quota.limit:
        raise InfeasibleError(
            f"{needs} beside the {kept} of the deployment that is live until then, the quota is "
            f"{quota.limit}; ask for more quota, or choose a smaller size or one of another family"
        )
    free = quota.limit - quota.used + freed
    if cores > free:
        raise NoQuotaLeftError(
            f"{needs}, {max(free, 0)} of {quota.limit} are free; others have to give some back"
        )


def _letters(name: str) -> str:
    """A quota's name as sizes, lists of usage and the studio agree on it."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _check_allow_list(size: str, text: str, done: str, field: str) -> None:
    allowed = _names(text)
    if size.lower() not in (name.lower() for name in allowed):
        raise InfeasibleError(
            f"{field}: the model can't be {done} on {size}; choose one of "
            f"{_listed([name for name in allowed if not _retired(name)])}"
        )


def _names(text: str) -> list[str]:
    """The names in a tag that holds a Python-literal list.

    Raises:
        InfeasibleError: it does not.
    """
    try:
        names = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        names = None
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise InfeasibleError("the base model's allow list of sizes is no literal list of names")
    return list(names)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
