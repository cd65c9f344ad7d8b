"""What a training is likely to take: rows, tokens, time, cost. Pure.

Earlier trainings of the project on the same size with the same base model are the best guide.
Before there are any, the arithmetic of the training is divided by what the GPUs can do, with a wide
range; see `UTILISATION`. Where neither is known there are no numbers, and the forecast says why.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tuneops import parameters, speed
from tuneops.estimates import NOTHING, Forecast, Kind, Measured, Span
from tuneops.parameters import Value
from tuneops.prepared import PreparedData
from tuneops.prices import Prices
from tuneops.release import TrainingPlan

HOUR = 3600

UTILISATION = {
    "16": Span(low=0.15, likely=0.3, high=0.5),
    "32": Span(low=0.3, likely=0.6, high=0.9),
}
"""The share of a GPU's peak that a training reaches, by precision: an assumption.

Published trainings of large language models reach 0.3 to 0.55 of the 16-bit peak; fine-tuning with
short rows and small batches reaches less. Plain 32-bit arithmetic comes nearer to its lower peak.
"""
SETUP = Span(low=180, likely=480, high=1200)
"""Seconds of the fine-tuning step besides its loop: pulling the image, loading and saving the
model. An assumption, until a training has been measured."""
AROUND = Span(low=900, likely=1800, high=5400)
"""Seconds besides the fine-tuning step until a release is live: the queue, provisioning nodes, the
pipeline's other steps, deploying, testing. An assumption, until a release has been measured."""

_FULL, _LORA = 6, 4
"""Floating-point operations for each parameter and token: two forward, two for the gradients of
activations, two for those of weights, which LoRA's frozen weights need not (Kaplan et al. 2020)."""

MEASURED_RANGE = (0.8, 1.3)
OTHER_GPUS_RANGE = (0.6, 1.8)
AROUND_RANGE = (0.6, 1.8)
"""How far what was measured may be from the next time; more with another number of GPUs."""


@dataclass(frozen=True)
class Load:
    """What a training goes through: tokens in all and in one epoch, steps of the optimiser."""

    tokens: int
    epoch_tokens: int
    steps: int


def forecast(
    plan: TrainingPlan,
    data: PreparedData | None,
    measured: Sequence[Measured] = (),
    prices: Prices | None = None,
) -> Forecast:
    """What the planned training is likely to take, by the project's earlier ones if it has some."""
    if data is None or not data.digest:
        return Forecast(unknown="the data is not prepared yet")
    load = load_of(plan, data)
    found = Forecast(rows=data.train_rows, tokens=load.tokens, steps=load.steps)
    if not load.epoch_tokens:
        return found.replace(unknown="the data was prepared without counting its tokens")
    kind = kind_of(plan)
    like = [each for each in measured if each.kind == kind and each.tokens and each.seconds]
    if like:
        return _priced(found.replace(**_by_measured(plan, load, like)), plan, prices)
    seconds, basis, unknown = _by_arithmetic(plan, load)
    if seconds is None:
        return found.replace(unknown=f"{unknown}: not known before the first training")
    found = found.replace(seconds=seconds, live_seconds=seconds.plus(AROUND), basis=basis)
    return _priced(found, plan, prices)


def without_training(
    plan: TrainingPlan,
    data: PreparedData,
    measured: Sequence[Measured] = (),
    prices: Prices | None = None,
) -> Forecast:
    """What a release is likely to take whose job has been there already."""
    found = Forecast(
        rows=data.train_rows,
        tokens=load_of(plan, data).tokens,
        seconds=NOTHING,
        live_seconds=_around(measured) or AROUND,
        basis="a job has trained just this already, or does so now",
        trains=False,
    )
    return _priced(found, plan, prices)


def load_of(plan: TrainingPlan, data: PreparedData) -> Load:
    """The tokens and steps of the planned training; steps that are given go before epochs."""
    given = parameters.values(plan.parameters)
    rows = max(1, data.train_rows)
    rows_per_step = (
        _whole(given, "per_device_train_batch_size", 1)
        * _whole(given, "gradient_accumulation_steps", 1)
        * gpus_of(plan)
    )
    once = _tokens_of_one_epoch(given, data)
    steps = _whole(given, "max_steps", -1)
    if steps > 0:
        return Load(math.ceil(once * steps * rows_per_step / rows), once, steps)
    epochs = _whole(given, "num_train_epochs", 1)
    return Load(once * epochs, once, math.ceil(rows / rows_per_step) * epochs)


def gpus_of(plan: TrainingPlan) -> int:
    """All the GPUs of a training."""
    return max(1, plan.nodes * plan.gpus_per_node)


def cost_of(seconds: float, plan: TrainingPlan, price: float) -> float:
    """What the nodes of a training cost for so long; `price` is that of a node's hour."""
    return seconds / HOUR * plan.nodes * price


def kind_of(plan: TrainingPlan) -> Kind:
    """What another training must share to foretell this one."""
    given = parameters.values(plan.parameters)
    return Kind(
        base_model=_unversioned(_model(plan, given)),
        size=plan.compute_size.lower(),
        lora=_lora(given),
        precision=_precision(given),
    )


def _by_measured(plan: TrainingPlan, load: Load, like: Sequence[Measured]) -> dict[str, object]:
    """The fields of a forecast that goes by earlier trainings, those of as many GPUs if any."""
    gpus = gpus_of(plan)
    same = [each for each in like if each.gpus == gpus]
    least, most = MEASURED_RANGE if same else OTHER_GPUS_RANGE
    used = same or like
    rates = [each.tokens / (each.gpus * (each.loop_seconds or each.seconds)) for each in used]
    setups = [each.seconds - (each.loop_seconds or each.seconds) for each in used]
    needed = load.tokens / gpus
    seconds = Span(
        low=(min(setups) + needed / max(rates)) * least,
        likely=median(setups) + needed / median(rates),
        high=(max(setups) + needed / min(rates)) * most,
    )
    counted = "1 earlier training" if len(used) == 1 else f"{len(used)} earlier trainings"
    return {
        "seconds": seconds,
        "live_seconds": seconds.plus(_around(like) or AROUND),
        "basis": f"{counted} on {plan.compute_size}",
    }


def _around(measured: Sequence[Measured]) -> Span | None:
    known = [each.around_seconds for each in measured if each.around_seconds > 0]
    if not known:
        return None
    least, most = AROUND_RANGE
    return Span(low=min(known) * least, likely=median(known), high=max(known) * most)


def _by_arithmetic(plan: TrainingPlan, load: Load) -> tuple[Span | None, str, str]:
    """Seconds, what they rest on, and why there are none."""
    given = parameters.values(plan.parameters)
    model, precision = _model(plan, given), _precision(given)
    peak, size = speed.peak_of(plan.compute_size), speed.parameters_of(_short(model))
    if peak is None:
        return None, "", f"how fast {plan.compute_size or 'the compute'} trains"
    if size is None:
        return None, "", f"how many parameters {_short(model)} has"
    share = UTILISATION[precision]
    lora = _lora(given)
    work = (_LORA if lora else _FULL) * size * load.tokens / gpus_of(plan)
    top = peak.bits16 if precision == "16" else peak.bits32
    loop = Span(
        low=work / (top * share.high),
        likely=work / (top * share.likely),
        high=work / (top * share.low),
    )
    basis = (
        f"{size / 1e9:g} billion parameters{' with LoRA' if lora else ''} in {precision} bits at "
        f"{share.low:.0%} to {share.high:.0%} of the peak of {peak.gpu} GPUs"
    )
    return SETUP.plus(loop), basis, ""


def _priced(found: Forecast, plan: TrainingPlan, prices: Prices | None) -> Forecast:
    """The forecast with GPU hours, and with its cost if there is a price."""
    seconds = found.seconds
    if seconds is None:
        return found
    found = found.replace(gpu_hours=seconds.times(gpus_of(plan) / HOUR))
    price = prices.of(plan.compute_size, plan.tier) if prices else None
    if prices is None or price is None:
        return found
    cost = seconds.times(cost_of(1, plan, price))
    return found.replace(price=price, cost=cost, currency=prices.currency)


def _tokens_of_one_epoch(given: dict[str, Value], data: PreparedData) -> int:
    """Tokens after rows are cut at, or filled up to, the longest sequence.

    What is cut is counted of all parts; of the training rows it is taken to be their share.
    """
    longest = _whole(given, "max_seq_length", -1)
    if given.get("pad_to_max_length") == "true" and longest > 0:
        return longest * data.train_rows
    share = data.train_rows / max(1, sum(data.parts.values()))
    return max(0, data.tokens - round(data.cut_tokens * share))


def _model(plan: TrainingPlan, given: dict[str, Value]) -> str:
    """What is fine-tuned: a parameter may replace the config's model."""
    others = (given[name] for name in ("huggingface_id", "pytorch_model_path") if name in given)
    return str(next(others, given.get("mlflow_model_path", plan.base_model)))


def _unversioned(model: str) -> str:
    if "/versions/" in model:
        return model.rpartition("/versions/")[0]
    return model.rpartition(":")[0] if model.startswith("azureml:") else model


def _short(model: str) -> str:
    return _unversioned(model).removeprefix("azureml:").rpartition("/")[2]


def _lora(given: dict[str, Value]) -> bool:
    return given.get("apply_lora") == "true"


def _precision(given: dict[str, Value]) -> str:
    """The component's own default is 32 bits."""
    return "16" if str(given.get("precision", "32")) == "16" else "32"


def _whole(given: dict[str, Value], name: str, default: int) -> int:
    return int(given.get(name, default))
