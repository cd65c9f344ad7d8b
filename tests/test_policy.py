"""The policy: how its file is read, what it allows, and when nothing may begin."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.config_text import config_of
from tests.planned import NOW, release
from tuneops.cli import app
from tuneops.config_file import ConfigProblem, InvalidConfigError
from tuneops.estimates import Forecast, Span
from tuneops.parameters import Origin, Parameter
from tuneops.policy import InForce, Policy, frozen, verdict, violations
from tuneops.policy_file import MAX_BYTES, parse_policy
from tuneops.prices import Prices
from tuneops.release import Phase, TrainingPlan

WINDOW = "{from: 2026-12-24T18:00, until: 2026-12-27T06:00+02:00, reason: holidays}"
SERVERLESS = "compute: {name: serverless}\n"
A100 = "Standard_NC24ads_A100_v4"


def policy_of(text: str) -> Policy:
    return parse_policy(text, "p.yaml")


def plan_of(size: str = "", **parameters: tuple[object, Origin]) -> TrainingPlan:
    """A plan with these parameters, each with who decided it."""
    made = {
        name: Parameter.model_validate({"value": value, "origin": origin})
        for name, (value, origin) in parameters.items()
    }
    return TrainingPlan(
        base_model="m", component="c", parameters=made, digest="d", compute_size=size
    )


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}", "allowed_models:"])
def test_an_empty_policy_allows_everything(text: str) -> None:
    assert policy_of(text) == Policy()
    assert violations(policy_of(text), config_of("bot"), None, "westeurope") == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("- a", "p.yaml:1: must be a mapping", id="list"),
        pytest.param(
            "\nmax_node: 2\n",
            "p.yaml:2: max_node: unknown key; did you mean 'max_nodes'?",
            id="nearest-key",
        ),
        pytest.param(
            "freeze:\n  - {from: 2026-12-24T18:00,\n     untill: 2026-12-27T06:00}",
            "p.yaml:3: freeze.0.untill: unknown key; did you mean 'until'?",
            id="nearest-key-of-a-freeze",
        ),
        pytest.param(
            f"freeze: [{WINDOW.replace('from:', 'form:')}]",
            "p.yaml:1: freeze.0.form: unknown key; did you mean 'from'?",
            id="nearest-key-is-a-word-of-python",
        ),
        pytest.param("max_nodes: true", "p.yaml:1: max_nodes: is true or false", id="flag"),
        pytest.param("max_epochs: 0", "p.yaml:1: max_epochs: Input should be greater", id="zero"),
        pytest.param("allowed_models: []", "p.yaml:1: allowed_models: Tuple should", id="none"),
        pytest.param("allowed_models: [a, 'b;c']", "p.yaml:1: allowed_models.1: String", id="text"),
        pytest.param(
            f"freeze: [{WINDOW.replace('2026-12-24T18:00', '2026-12-24')}]",
            "p.yaml:1: freeze.0.from: is no date with a time of day",
            id="a-date-alone",
        ),
        pytest.param(
            f"freeze: [{WINDOW.replace('2026-12-24T18:00', '1766600000')}]",
            "p.yaml:1: freeze.0.from: is no date with a time of day",
            id="a-number",
        ),
        pytest.param(
            f"freeze: [{WINDOW.replace('2026-12-24T18:00', '0001-01-01T00:00+14:00')}]",
            "p.yaml:1: freeze.0.from: is no date with a time of day",
            id="before-all-time",
        ),
        pytest.param(
            f"freeze: [{WINDOW.replace('2026-12-24', '2027-12-24')}]",
            "p.yaml:1: freeze.0: until is not after from",
            id="backwards",
        ),
        pytest.param(
            "prices: {per_hour: {Standard_A: 1, standard_a: 2}}",
            "p.yaml:1: prices.per_hour: standard_a has two prices",
            id="two-prices",
        ),
        pytest.param(
            "prices:\n  per_hour:\n    Standard_A: free",
            "p.yaml:3: prices.per_hour.Standard_A: ",
            id="no-price",
        ),
        pytest.param(
            "prices: {per_hour: {Standard_A: true}}",
            "p.yaml:1: prices.per_hour.Standard_A: ",
            id="a-flag-for-a-price",
        ),
        pytest.param(
            "prices: {currency: dollars, per_hour: {a: 1}}", "p.yaml:1: prices.currency", id="money"
        ),
        pytest.param(
            "max_estimated_cost: 0", "p.yaml:1: max_estimated_cost: Input should be", id="free"
        ),
        pytest.param("max_nodes: &x 1\n", "p.yaml:1: anchors and aliases are not", id="anchor"),
        pytest.param("a: !!python/name:os.system x", "p.yaml:1: could not determine", id="tag"),
        pytest.param("#" * (MAX_BYTES + 1), "p.yaml:1: is larger than 64 KiB", id="size"),
    ],
)
def test_errors_name_file_line_and_field(text: str, expected: str) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        policy_of(text)
    errors = [str(error) for error in caught.value.errors]
    assert any(error.startswith(expected) for error in errors), errors


@given(st.binary(max_size=400) | st.text(max_size=400))
def test_whatever_is_read_is_a_policy_or_an_error(text: str | bytes) -> None:
    try:
        read: object = parse_policy(text, "p.yaml")
    except InvalidConfigError as error:
        read = error.errors[0]
    assert isinstance(read, Policy | ConfigProblem)


def foretold(**changes: object) -> Forecast:
    """An hour of training, give or take half of it."""
    return Forecast(seconds=Span(low=1800, likely=3600, high=5400)).replace(**changes)


PRICED = f"prices: {{per_hour: {{{A100.upper()}: 4, standard_other: 9}}}}\n"
NO_PRICE = (
    f"max_estimated_cost of tuneops-policy.yaml: there is no price of {A100}; add that of one "
    "node's hour to prices.per_hour there"
)


@pytest.mark.parametrize(
    ("policy", "nodes", "forecast", "expected"),
    [
        pytest.param("max_estimated_cost: 4\n" + PRICED, 1, foretold(), [], id="just-enough"),
        pytest.param(
            "max_estimated_cost: 4\n" + PRICED,
            2,
            foretold(),
            [
                "training: is likely to cost 8.00 USD (from 4.00 to 12.00), which is more than "
                "max_estimated_cost of tuneops-policy.yaml; stay below 4.00 with fewer epochs, "
                "less data or other machines"
            ],
            id="nodes-cost",
        ),
        pytest.param(PRICED, 99, foretold(), [], id="no-limit"),
        pytest.param("max_estimated_cost: 4\n", 1, foretold(), [NO_PRICE], id="no-prices"),
        pytest.param(
            "max_estimated_cost: 4\nprices: {per_hour: {Standard_X: 1}}",
            1,
            foretold(seconds=None, unknown="x"),
            [NO_PRICE],
            id="no-price-of-the-size",
        ),
        pytest.param(
            "max_estimated_cost: 4\n" + PRICED,
            1,
            foretold(seconds=None, unknown="first training"),
            [],
            id="nothing-foretold",
        ),
        pytest.param("max_estimated_cost: 4", 1, foretold(trains=False), [], id="trained"),
        pytest.param("max_estimated_cost: 4", 1, None, [], id="not-planned"),
    ],
)
def test_a_training_may_cost_no_more_than_the_limit(
    policy: str, nodes: int, forecast: Forecast | None, expected: list[str]
) -> None:
    plan = plan_of(A100).replace(nodes=nodes)
    found = violations(policy_of(policy), config_of("bot"), plan, "", forecast)
    assert list(found) == expected


@pytest.mark.parametrize(
    ("phase", "held"),
    [
        (Phase.PREPARING, True),
        (Phase.TRAINING, True),
        (Phase.FAILED, True),
        (Phase.EVALUATING, False),
        (Phase.DEPLOYING, False),
        (Phase.LIVE, False),
    ],
)
def test_what_has_been_trained_is_deployed_whatever_it_cost(phase: Phase, held: bool) -> None:
    made = release().replace(training=plan_of(A100), forecast=foretold(), phase=phase)
    policy = policy_of("max_estimated_cost: 1\n" + PRICED)
    assert bool(verdict(policy, made, "", NOW).violations) is held


def test_low_priority_is_cheaper_when_the_policy_says_so() -> None:
    prices = Prices.model_validate({"per_hour": {A100: 4.0}})
    assert prices.of(A100.lower(), "low_priority") == 4
    assert prices.model_copy(update={"low_priority_factor": 0.25}).of(A100, "low_priority") == 1


def test_a_policy_is_stored_as_it_was_read() -> None:
    stored = InForce(
        policy=policy_of(f"max_nodes: 2\nfreeze: [{WINDOW}]\nallowed_models: [a*]\n{PRICED}")
    )
    assert InForce.model_validate_json(stored.model_dump_json()) == stored


@pytest.mark.parametrize(
    ("policy", "extra", "plan", "expected"),
    [
        pytest.param("allowed_models: [phi-3-*]", "", None, [], id="pattern-of-any-case"),
        pytest.param(
            "allowed_models: [Phi-4*, Llama]",
            "",
            None,
            [
                "model.name: Phi-3-mini-4k-instruct is not in allowed_models of"
                " tuneops-policy.yaml; choose Phi-4* or Llama"
            ],
            id="model",
        ),
        pytest.param("allowed_registries: [own]", "", None, ["model.registry: azureml"], id="reg"),
        pytest.param(
            "allowed_registries: [azureml]\nallowed_models: [Phi-3*]",
            "training: {parameters: {huggingface_id: other/model}}\n",
            None,
            [
                "training.parameters.huggingface_id: what is in no registry is not in",
                "training.parameters.huggingface_id: other/model is not in allowed_models",
            ],
            id="model-by-parameter",
        ),
        pytest.param(
            "allowed_registries: [azureml]\nallowed_models: [Phi-3*]",
            "training: {parameters: {mlflow_model_path:"
            " azureml://registries/azureml/models/Phi-3-x/versions/1}}\n",
            None,
            [],
            id="model-of-the-registry-by-parameter",
        ),
        pytest.param(
            "allowed_registries: ['azureml*']\nallowed_models: [Phi-3*]",
            "training: {parameters: {pytorch_model_path: 'azureml:Phi-3-own:1'}}\n",
            None,
            ["training.parameters.pytorch_model_path: what is in no registry"],
            id="model-of-the-workspace",
        ),
        pytest.param(
            "allowed_models: [Phi-3*]",
            "",
            plan_of(
                mlflow_model_path=("azureml://registries/r/models/x/versions/1", Origin.TUNEOPS)
            ),
            [],
            id="what-the-config-names-is-checked-there",
        ),
        pytest.param(
            "allowed_instance_types: [standard_nc24ads_*]",
            "deployment: {instance_type: Standard_ND96isr_H100_v5}\n",
            None,
            ["deployment.instance_type: Standard_ND96isr_H100_v5 is not in"],
            id="serving",
        ),
        pytest.param(
            "allowed_instance_types: ['*_A100_v4']",
            SERVERLESS,
            None,
            [
                "compute.instance_types.preprocess: Standard_D12_v2",
                "compute.instance_types.model_import: Standard_D12_v2",
            ],
            id="serverless",
        ),
        pytest.param(
            "allowed_instance_types: ['*_A100_v4', '*_D12_v2']",
            SERVERLESS + "training: {parameters: {instance_type_finetune: Standard_X}}\n",
            None,
            ["training.parameters.instance_type_finetune: Standard_X"],
            id="size-by-parameter",
        ),
        pytest.param(
            "allowed_instance_types: ['*_A100_v4']",
            "compute: {cluster: {size: Standard_X}}\n",
            plan_of("standard_x"),
            ["compute.cluster.size: Standard_X"],
            id="cluster-to-be-made",
        ),
        pytest.param(
            "allowed_instance_types: ['*_A100_v4']",
            "",
            plan_of("Standard_X"),
            ["compute.name: Standard_X"],
            id="cluster-that-there-is",
        ),
        pytest.param("allowed_instance_types: ['*_A100_v4']", "", None, [], id="not-known-yet"),
        pytest.param("max_nodes: 2", "compute: {nodes: 2}\n", None, [], id="just-enough"),
        pytest.param(
            "max_nodes: 2",
            "compute: {nodes: 3}\n",
            None,
            ["compute.nodes: 3 is more than max_nodes of tuneops-policy.yaml; ask for 2 at most"],
            id="nodes",
        ),
        pytest.param(
            "max_nodes: 2",
            "training: {parameters: {num_nodes_finetune: 3}}\n",
            None,
            ["training.parameters.num_nodes_finetune: 3 is more"],
            id="nodes-by-parameter",
        ),
        pytest.param(
            "max_nodes: 2",
            f"compute: {{cluster: {{size: {A100}, max_instances: 3}}}}\n",
            None,
            ["compute.cluster.max_instances: 3 is more"],
            id="nodes-of-a-cluster",
        ),
        pytest.param(
            "max_nodes: 2",
            "",
            plan_of(num_nodes_finetune=(3, Origin.MODEL)),
            ["training.parameters.num_nodes_finetune: 3 is more"],
            id="nodes-by-the-model",
        ),
        pytest.param(
            "max_instance_count: 1",
            "deployment: {instance_count: 2}\n",
            None,
            ["deployment.instance_count: 2 is more than max_instance_count"],
            id="instances",
        ),
        pytest.param(
            "max_epochs: 2",
            "training: {parameters: {num_train_epochs: 3}}\n",
            None,
            ["training.parameters.num_train_epochs: 3 is more than max_epochs"],
            id="epochs",
        ),
        pytest.param("max_epochs: 2", "", None, [], id="epochs-not-known-yet"),
        pytest.param(
            "max_epochs: 2",
            "",
            plan_of(num_train_epochs=(3, Origin.DEFAULT)),
            ["training.parameters.num_train_epochs: 3 is more"],
            id="epochs-by-default",
        ),
        pytest.param(
            "max_epochs: 2",
            "training: {parameters: {num_train_epochs: 1, max_steps: 100000}}\n",
            None,
            ["training.parameters.max_steps: it overrides num_train_epochs"],
            id="steps-instead-of-epochs",
        ),
        pytest.param("allowed_regions: [West Europe]", "", None, [], id="region"),
        pytest.param(
            "allowed_regions: ['northeurope', '*us']",
            "",
            None,
            ["the workspace is in westeurope, which is not in allowed_regions"],
            id="another-region",
        ),
    ],
)
def test_what_is_not_allowed_is_named_with_what_to_do(
    policy: str, extra: str, plan: TrainingPlan | None, expected: list[str]
) -> None:
    found = violations(policy_of(policy), config_of("bot", extra), plan, "westeurope")
    assert len(found) == len(expected), found
    for said, start in zip(found, expected, strict=True):
        assert said.startswith(start)


def test_a_region_that_is_not_known_is_not_held_against_anybody() -> None:
    assert violations(policy_of("allowed_regions: [westus]"), config_of("bot"), None, "") == ()


@given(asked=st.integers(1, 50), limit=st.integers(1, 60))
def test_counts_are_bounded_exactly(asked: int, limit: int) -> None:
    config = config_of(
        "bot", f"compute: {{nodes: {asked}}}\ndeployment: {{instance_count: {asked}}}"
    )
    policy = Policy(max_nodes=limit, max_instance_count=limit)
    assert len(violations(policy, config, None, "")) == (2 if asked > limit else 0)


NAMES = st.text("ABab01_-.", min_size=1, max_size=12)


@given(names=st.lists(NAMES, min_size=1, max_size=4), upper=st.booleans())
def test_what_is_listed_by_its_name_is_allowed_and_more_patterns_forbid_nothing(
    names: list[str], upper: bool
) -> None:
    config = config_of("bot", f"deployment: {{instance_type: {A100}}}")
    listed = A100.upper() if upper else A100.lower()
    with_it = Policy(allowed_instance_types=(*names, listed))
    without = Policy(allowed_instance_types=tuple(names))
    assert violations(with_it, config, None, "") == ()
    assert len(violations(without, config, None, "")) <= 1


@given(
    starts=st.lists(st.integers(-100, 100), max_size=4),
    hours=st.integers(1, 50),
    at=st.integers(-200, 200),
)
def test_it_is_frozen_from_a_start_up_to_an_end(starts: list[int], hours: int, at: int) -> None:
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)

    def hour(number: int) -> str:
        return (noon + timedelta(hours=number)).isoformat()

    windows = [{"from": hour(s), "until": hour(s + hours), "reason": "r"} for s in starts]
    policy = Policy.model_validate({"freeze": windows})
    now = noon + timedelta(hours=at)
    ends = [start + hours for start in starts if start <= at < start + hours]
    found = frozen(policy, now)
    assert (found and found.until) == (noon + timedelta(hours=max(ends)) if ends else None)


def test_a_freeze_says_until_when_and_why() -> None:
    policy = policy_of(f"freeze: [{WINDOW}]")
    assert frozen(policy, datetime(2026, 12, 24, 17, 59, tzinfo=UTC)) is None
    found = frozen(policy, datetime(2026, 12, 24, 18, tzinfo=UTC))
    assert str(found) == "frozen until 2026-12-27 04:00 UTC: holidays"


def test_validate_finds_the_policy_and_holds_configs_against_it(tmp_path: Path) -> None:
    folder = tmp_path / "finetune"
    folder.mkdir()
    (folder / "bot.yaml").write_text(
        "name: bot\nmodel: {name: Phi}\ndata: {path: bot}\ncompute: {nodes: 3}\n"
    )
    policy = tmp_path / "tuneops-policy.yaml"
    for text, code, said in (
        ("max_nodes: 3\n", 0, "2 valid"),
        ("max_nodes: 2\n", 1, f"{folder / 'bot.yaml'}: compute.nodes: 3 is more than max_nodes"),
        ("max_node: 3\n", 1, f"{policy}:1: max_node: unknown key; did you mean 'max_nodes'?"),
    ):
        policy.write_text(text)
        for path in (folder, folder / "bot.yaml"):
            done = CliRunner().invoke(app, ["validate", str(path)])
            assert (done.exit_code, said in done.output) == (code, True), done.output
    assert CliRunner().invoke(app, ["validate", str(policy)]).exit_code == 1
