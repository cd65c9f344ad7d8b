"""Forecasts: what they are made of, what they never contradict, and how they read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneops import speed
from tuneops.estimate_text import beside, duration, facts, spanned
from tuneops.estimates import Actuals, Forecast, Measured, Span
from tuneops.forecast import forecast, gpus_of, kind_of, load_of, without_training
from tuneops.parameters import Origin, Parameter, Value
from tuneops.prepared import PreparedData
from tuneops.prices import Prices
from tuneops.release import TrainingPlan

A100 = "Standard_NC24ads_A100_v4"
PHI = "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/13"
PRICES = Prices.model_validate({"per_hour": {A100.lower(): 3.67}, "low_priority_factor": 0.5})


def plan(base: str = PHI, size: str = A100, nodes: int = 1, **given: Value) -> TrainingPlan:
    inputs: dict[str, Value] = {"precision": "16", "apply_lora": "true", **given}
    return TrainingPlan(
        base_model=base,
        component="c",
        parameters={
            name: Parameter(value=value, origin=Origin.CONFIG) for name, value in inputs.items()
        },
        digest="d",
        compute_size=size,
        nodes=nodes,
    )


def data(rows: int = 1000, tokens: int = 400_000, cut: int = 0) -> PreparedData:
    return PreparedData(
        digest="d", folder="f", train_rows=rows, test_rows=0, tokens=tokens, cut_tokens=cut
    )


def training(wanted: TrainingPlan, **changes: object) -> Measured:
    """One training of that kind, of 1000 tokens for each of its GPUs in a second."""
    gpus = gpus_of(wanted)
    one = Measured(job="j", kind=kind_of(wanted), gpus=gpus, tokens=1_000_000 * gpus, seconds=1000)
    return one.replace(**changes)


@pytest.mark.parametrize(
    ("size", "gpu"),
    [
        ("Standard_NC6s_v3", "V100"),
        ("Standard_NC64as_T4_v3", "T4"),
        ("Standard_NV36ads_A10_v5", "A10"),
        ("STANDARD_NC24ADS_A100_V4", "A100"),
        ("Standard_ND96asr_v4", "A100"),
        ("Standard_ND96amsr_A100_v4", "A100"),
        ("Standard_NC80adis_H100_v5", "H100 NVL"),
        ("Standard_ND96isr_H100_v5", "H100"),
        ("Standard_ND96isr_H200_v5", "H200"),
        ("Standard_ND96isr_MI300X_v5", "MI300X"),
        ("Standard_NV6ads_A10_v5", None),
        ("Standard_DS3_v2", None),
        ("", None),
    ],
)
def test_gpus_are_known_by_the_size(size: str, gpu: str | None) -> None:
    peak = speed.peak_of(size)
    assert (peak.gpu if peak else None) == gpu


@pytest.mark.parametrize(
    ("model", "billions"),
    [
        ("Phi-3-mini-4k-instruct", 3.8),
        ("Phi-3.5-mini-instruct", 3.8),
        ("Phi-3-small-8k-instruct", 7.4),
        ("Phi-3-medium-128k-instruct", 14),
        ("Phi-3.5-MoE-instruct", 6.6),
        ("Phi-4-mini-instruct", 3.8),
        ("Phi-4", 14.7),
        ("Llama-2-7b-chat", 7),
        ("Meta-Llama-3.1-70B-Instruct", 70),
        ("Qwen2.5-0.5B-Instruct", 0.5),
        ("Qwen3-30B-A3B", 3),
        ("gemma-3-270m", 0.27),
        ("mixtral-8x7b", None),
        ("gpt-4b2", None),
        ("our-own", None),
    ],
)
def test_parameters_are_known_by_the_name(model: str, billions: float | None) -> None:
    found = speed.parameters_of(model)
    assert found == (pytest.approx(billions * 1e9) if billions else None)


@pytest.mark.parametrize(
    ("given", "rows", "tokens", "steps"),
    [
        pytest.param({}, 1000, 400_000, 1000, id="component's-defaults"),
        pytest.param({"num_train_epochs": 3}, 1000, 1_200_000, 3000, id="epochs"),
        pytest.param(
            {"num_train_epochs": 2, "per_device_train_batch_size": 3},
            1000,
            800_000,
            668,
            id="batch",
        ),
        pytest.param({"gradient_accumulation_steps": 8}, 1000, 400_000, 125, id="accumulated"),
        pytest.param(
            {"max_steps": 10, "num_train_epochs": 9, "per_device_train_batch_size": 4},
            1000,
            16_000,
            10,
            id="steps-override-epochs",
        ),
        pytest.param(
            {"pad_to_max_length": "true", "max_seq_length": 512}, 1000, 512_000, 1000, id="padded"
        ),
    ],
)
def test_tokens_and_steps(given: dict[str, Value], rows: int, tokens: int, steps: int) -> None:
    found = forecast(plan(**given), data(rows))
    assert (found.rows, found.tokens, found.steps) == (rows, tokens, steps)


def test_what_is_cut_is_not_trained_on() -> None:
    assert load_of(plan(), data(cut=100_000)).tokens == 300_000
    with_others = data(cut=100_000).replace(test_rows=1000)
    assert load_of(plan(), with_others).tokens == 350_000


def test_a_first_forecast_is_arithmetic_with_a_wide_range() -> None:
    found = forecast(plan(), data(tokens=100_000_000), prices=PRICES)
    assert found.seconds is not None
    likely = 4 * 3.8e9 * 1e8 / (312e12 * 0.3) + 480
    assert found.seconds.likely == pytest.approx(likely)
    assert found.seconds.high > 2 * found.seconds.low
    assert found.cost is not None
    assert found.cost.likely == pytest.approx(likely / 3600 * 3.67)
    assert (found.price, found.currency) == (3.67, "USD")
    assert found.basis == (
        "3.8 billion parameters with LoRA in 16 bits at 15% to 50% of the peak of A100 GPUs"
    )
    full = forecast(plan(apply_lora="false"), data(tokens=100_000_000)).seconds
    slow = forecast(plan(precision="32"), data(tokens=100_000_000)).seconds
    assert full is not None
    assert slow is not None
    assert found.seconds.likely < full.likely < slow.likely


def test_nodes_are_paid_for_and_gpus_are_counted() -> None:
    one = forecast(plan(), data(), prices=PRICES)
    two = forecast(plan(nodes=2), data(), prices=PRICES)
    cheap = forecast(plan().replace(tier="low_priority"), data(), prices=PRICES)
    for found, price in ((one, 3.67), (two, 2 * 3.67), (cheap, 3.67 / 2)):
        assert found.seconds is not None
        assert found.cost is not None
        assert found.cost.likely == pytest.approx(found.seconds.likely / 3600 * price)
    assert two.seconds is not None
    assert two.gpu_hours is not None
    assert two.gpu_hours.likely == pytest.approx(two.seconds.likely / 3600 * 2)


@pytest.mark.parametrize(
    ("changed", "prepared", "why"),
    [
        (plan(), None, "the data is not prepared yet"),
        (plan(), data().replace(digest=""), "the data is not prepared yet"),
        (plan(), data(tokens=0), "the data was prepared without counting its tokens"),
        (
            plan(size="Standard_DS3_v2"),
            data(),
            "how fast Standard_DS3_v2 trains: not known before the first training",
        ),
        (
            plan("azureml:ours:3"),
            data(),
            "how many parameters ours has: not known before the first training",
        ),
        (
            plan(huggingface_id="team/ours"),
            data(),
            "how many parameters ours has: not known before the first training",
        ),
    ],
)
def test_without_facts_there_are_no_numbers(
    changed: TrainingPlan, prepared: PreparedData | None, why: str
) -> None:
    found = forecast(changed, prepared, prices=PRICES)
    assert (found.seconds, found.cost, found.live_seconds) == (None, None, None)
    assert found.unknown == why
    assert ("time and cost", f"not foretold: {why}") in list(facts(found))


def test_earlier_trainings_go_before_arithmetic() -> None:
    odd = plan("azureml:ours:3", "Standard_DS3_v2")
    newer = plan("azureml:ours:4", "STANDARD_DS3_V2")
    found = forecast(newer, data(), [training(odd)])
    assert found.seconds == Span(low=400 * 0.8, likely=400, high=400 * 1.3)
    assert found.basis == "1 earlier training on STANDARD_DS3_V2"

    with_setup = training(odd, loop_seconds=500.0, around_seconds=60.0)
    found = forecast(newer, data(), [with_setup])
    assert found.seconds is not None
    assert found.seconds.likely == 500 + 200
    assert found.live_seconds is not None
    assert found.live_seconds.likely == 760

    more = forecast(newer.replace(nodes=4), data(), [training(odd)])
    assert more.seconds == Span(low=100 * 0.6, likely=100, high=100 * 1.8)


@pytest.mark.parametrize(
    "other",
    [
        plan(size="Standard_ND96asr_v4"),
        plan("azureml:other:1"),
        plan(apply_lora="false"),
        plan(precision="32"),
    ],
)
def test_another_kind_of_training_says_nothing(other: TrainingPlan) -> None:
    assert forecast(plan(), data(), [training(other)]) == forecast(plan(), data())


def test_what_is_trained_already_costs_nothing() -> None:
    found = without_training(plan(), data(), [training(plan(), around_seconds=100.0)], PRICES)
    nothing = Span(low=0, likely=0, high=0)
    assert (found.trains, found.seconds, found.cost) == (False, nothing, nothing)
    assert found.live_seconds is not None
    assert found.live_seconds.likely == 100


plans = st.builds(
    plan,
    nodes=st.integers(1, 8),
    size=st.sampled_from([A100, "Standard_NC4as_T4_v3"]),
    apply_lora=st.sampled_from(["true", "false"]),
    precision=st.sampled_from(["16", "32"]),
    num_train_epochs=st.integers(1, 50),
    per_device_train_batch_size=st.integers(1, 64),
    max_steps=st.sampled_from([-1, -1, 1, 500]),
)
loads = st.builds(data, rows=st.integers(1, 10**7), tokens=st.integers(1, 10**10))
trainings = st.lists(
    st.builds(
        lambda of, tokens, seconds, share: training(
            of, tokens=tokens, seconds=seconds, loop_seconds=seconds * share
        ),
        plans,
        st.integers(1, 10**10),
        st.floats(1, 1e6),
        st.floats(0, 1),
    ),
    max_size=4,
)


@given(plans, loads, trainings)
def test_low_is_never_above_likely_nor_likely_above_high(
    wanted: TrainingPlan, prepared: PreparedData, before: list[Measured]
) -> None:
    found = forecast(wanted, prepared, before, PRICES)
    for span in (found.seconds, found.gpu_hours, found.live_seconds):
        assert span is not None
        assert 0 <= span.low <= span.likely <= span.high
    assert Forecast.model_validate_json(found.model_dump_json()) == found


@given(plans, loads, trainings, st.integers(2, 9))
def test_more_tokens_or_epochs_never_take_less(
    wanted: TrainingPlan, prepared: PreparedData, before: list[Measured], times: int
) -> None:
    more_data = prepared.replace(tokens=prepared.tokens * times)
    epochs = int(wanted.parameters["num_train_epochs"].value) * times
    longer = Parameter(value=epochs, origin=Origin.CONFIG)
    more_epochs = wanted.replace(parameters={**wanted.parameters, "num_train_epochs": longer})
    least = forecast(wanted, prepared, before).seconds
    assert least is not None
    for greater in (
        forecast(wanted, more_data, before).seconds,
        forecast(more_epochs, prepared, before).seconds,
    ):
        assert greater is not None
        assert (least.low, least.likely, least.high) <= (greater.low, greater.likely, greater.high)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (4.2, "4.2 s"), (90, "90 s"), (600, "10 min"), (13_680, "3.8 h")],
)
def test_times_are_said_in_the_unit_that_suits_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_range_is_said_with_what_is_likely() -> None:
    assert spanned(Span(low=7560, likely=13_680, high=25_200)) == "2.1 to 7 h, likely 3.8"


def test_forecast_and_actuals_stand_side_by_side() -> None:
    foretold = forecast(plan(), data(), [training(plan())], PRICES)
    came = Actuals(
        rows=1000, tokens=400_000, seconds=420, gpu_hours=0.12, cost=0.43, currency="USD"
    )
    shown = {name: (before, after) for name, before, after in beside(foretold, came)}
    assert shown["training"] == ("5.3 to 8.7 min, likely 6.7", "7 min")
    assert shown["cost of the training"] == (
        "0.33 to 0.53 USD, likely 0.41; a node's hour is 3.67",
        "0.43 USD",
    )
    assert shown["tokens in training"] == ("400,000", "400,000")
    unpriced = dict(facts(forecast(plan(), data())))
    assert unpriced["cost of the training"] == "not known: the policy has no price of this size"
